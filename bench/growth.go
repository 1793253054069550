package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey/latchkey/internal/store"
)

// growthPoint is a workload on a store of some size.
type growthPoint struct {
	Engine string `json:"engine"`
	// Authorizations are the living ones that are drawn from.
	Authorizations int `json:"authorizations"`
	measurement
	// OfSmallest is the ratio to the ceiling over that on the smallest store.
	OfSmallest float64 `json:"ratio_to_smallest"`
}

// replicaPoint is a workload on several servers that share a database, and the cores.
type replicaPoint struct {
	Replicas int `json:"replicas"`
	measurement
	// OfOne is the ratio to the ceiling over that of a single server.
	OfOne float64 `json:"ratio_to_one"`
}

// growing tells which workloads show what growth costs.
func growing(workload string) bool {
	return workload == forCredentials || workload == forChain || workload == forCheckZipf
}

// largest is the size of an engine's largest store.
func (r *report) largest(engine string) int {
	most := 0
	for _, p := range r.Growth {
		if p.Engine == engine {
			most = max(most, p.Authorizations)
		}
	}
	return most
}

// growth measures on each engine what it costs that a store grows.
func (b *bench) growth(ctx context.Context, o options, r *report) error {
	return onEach(o.engines, func(e *engine) error {
		return b.grow(ctx, o, e, func(p growthPoint) { r.Growth = append(r.Growth, p) })
	})
}

// grow measures on a store while it grows from size to size.
func (b *bench) grow(ctx context.Context, o options, e *engine, add func(growthPoint)) error {
	most := o.connections[len(o.connections)-1]
	// Each size takes rows of its own for its chains.
	r := newRows(most*len(o.grow), o.grow[0], 0, time.Now())
	if err := e.fill(ctx, func(s *store.Store) error { return r.fillPeople(ctx, s) }); err != nil {
		return err
	}
	smallest, filled := map[string]float64{}, 0
	for i, size := range o.grow {
		if i > 0 {
			r = r.grown(size, time.Now())
		}
		r.used = most * i
		if err := b.fill(ctx, e, r, filled); err != nil {
			return err
		}
		filled = r.all()
		b.told("%s: %s living authorizations", e.name, thousands(size))
		p, err := e.serve(o.binary)
		if err != nil {
			return err
		}
		err = b.few(ctx, p, r, most, func(m measurement) {
			if i == 0 {
				smallest[m.Workload] = m.Ratio
			}
			add(growthPoint{e.name, size, m, m.Ratio / smallest[m.Workload]})
		})
		if err := errors.Join(err, p.stop()); err != nil {
			return err
		}
	}
	return nil
}

// few measures the growing workloads at the most connections.
func (b *bench) few(ctx context.Context, p *process, r rows, most int, add func(measurement)) error {
	all := workloads(r)
	if err := b.remember(p, all, most, r.drawn); err != nil {
		return err
	}
	return b.atMost(ctx, p, slices.DeleteFunc(all, func(w workload) bool { return !growing(w.name) }), most, add)
}

// replicas measures one server on a PostgreSQL, then two, and so on.
func (b *bench) replicas(ctx context.Context, o options, report *report) (err error) {
	e, err := newEngine(onPostgreSQL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	most := o.connections[len(o.connections)-1]
	r := newRows(most*o.replicas, o.living, 0, time.Now())
	if err := e.fill(ctx, func(s *store.Store) error { return r.fillPeople(ctx, s) }); err != nil {
		return err
	}
	if err := b.fill(ctx, e, r, 0); err != nil {
		return err
	}
	single := map[string]float64{}
	for count := 1; count <= o.replicas; count++ {
		r.used = most * (count - 1)
		b.told("servers on one database: %d", count)
		p, err := e.serveReplicas(o.binary, count)
		if err != nil {
			return err
		}
		err = b.few(ctx, p, r, most, func(m measurement) {
			if count == 1 {
				single[m.Workload] = m.Ratio
			}
			report.Replicas = append(report.Replicas, replicaPoint{count, m, m.Ratio / single[m.Workload]})
		})
		if err := errors.Join(err, p.stop()); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) printGrowth(w io.Writer) {
	if len(r.Growth) == 0 {
		return
	}
	lines := [][]string{{"workload", "authorizations", "", "ratio", "of the smallest's", "asked", "", "p99 at half load"}}
	points := slices.Clone(r.Growth)
	slices.SortStableFunc(points, func(a, b growthPoint) int {
		return cmp.Or(cmp.Compare(a.Engine, b.Engine), cmp.Compare(a.Workload, b.Workload))
	})
	for _, p := range points {
		line := append([]string{p.Engine + ": " + p.Workload, thousands(p.Authorizations)}, p.cells(p.OfSmallest)...)
		var f *floor
		if p.Authorizations == r.largest(p.Engine) {
			f = r.floorOf(p.Engine, p.Workload, ratioToSmallest)
		}
		lines = append(lines, append(append(line, marks(f)...), p.halfLoad()))
	}
	table(w, fmt.Sprintf("growth, at %d connections: ratios to the ceiling", r.most()), lines)
}

func (r *report) printReplicas(w io.Writer) {
	if len(r.Replicas) == 0 {
		return
	}
	lines := [][]string{{"workload", "servers", "", "ratio", "of a single one's", "p99 at half load"}}
	points := slices.Clone(r.Replicas)
	slices.SortStableFunc(points, func(a, b replicaPoint) int { return cmp.Compare(a.Workload, b.Workload) })
	for _, p := range points {
		line := append([]string{p.Workload, strconv.Itoa(p.Replicas)}, p.cells(p.OfOne)...)
		lines = append(lines, append(line, p.halfLoad()))
	}
	table(w, fmt.Sprintf("servers on one PostgreSQL and the same cores, at %d connections: ratios to the ceiling", r.most()), lines)
}

// cells are the rate, the ratio to the ceiling and the ratio to another one.
func (m measurement) cells(of float64) []string {
	return []string{perSecond(m.Rate), fmt.Sprintf("%.2f", m.Ratio), fmt.Sprintf("%.2f", of)}
}

func (m measurement) halfLoad() string {
	if m.Open == nil {
		return ""
	}
	return fmt.Sprintf("%.2f ms", m.Open.P99)
}
