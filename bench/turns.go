package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// turn is a workload on one of two servers that are compared on the same store, again and
// again: what differs between two whole runs is mostly the hour.
type turn struct {
	Engine string `json:"engine"`
	// Other is whether it is the server that the first one is compared against.
	Other bool `json:"other"`
	measurement
}

// pairs is how often each of two servers is measured. The one that begins changes each time.
const pairs = 3

// compare measures two servers in turn on each engine.
func (b *bench) compare(ctx context.Context, o options, r *report) error {
	return onEach(o.engines, func(e *engine) error {
		return b.compareOn(ctx, o, e, func(t turn) { r.Turns = append(r.Turns, t) })
	})
}

func (b *bench) compareOn(ctx context.Context, o options, e *engine, add func(turn)) error {
	bare, err := b.ceilingAt(o.connections[len(o.connections)-1])
	if err != nil {
		return err
	}
	o.rounds *= 2 * pairs
	prepared := o.rows([]measurement{{Rate: bare}})
	if _, err := b.prepare(ctx, e, prepared); err != nil {
		return err
	}
	all := workloads(prepared)
	// What the later ones refresh and revoke, nobody can read afterwards.
	reading := slices.IndexFunc(all, usingUp)
	for _, part := range [][]workload{all[:reading], all[reading:]} {
		if part = o.chosen(part); len(part) == 0 {
			continue
		}
		for i := range 2 * pairs {
			other := i%4 == 1 || i%4 == 2
			binary := o.binary
			if other {
				binary = o.against
			}
			b.told("%s: %s", e.name, binary)
			if err := b.turnOf(ctx, o, e, binary, all, part, func(m measurement) { add(turn{e.name, other, m}) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// turnOf measures a part of all workloads on one server once.
func (b *bench) turnOf(ctx context.Context, o options, e *engine, binary string, all, part []workload, add func(measurement)) (err error) {
	p, err := e.serve(binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	most := o.connections[len(o.connections)-1]
	if slices.ContainsFunc(part, byZipf) {
		if err := b.remember(p, all, most, o.living); err != nil {
			return err
		}
	}
	return b.atMost(ctx, p, part, most, add)
}

func (r *report) printTurns(w io.Writer) {
	if len(r.Turns) == 0 {
		return
	}
	turns := slices.Clone(r.Turns)
	slices.SortStableFunc(turns, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.Engine, b.Engine), cmp.Compare(a.Workload, b.Workload))
	})
	lines := [][]string{{"workload", "ratios", "other's ratios", "CPU s/million", "other's CPU", "p99 at half load", "other's p99"}}
	for len(turns) > 0 {
		end := 1
		for end < len(turns) && turns[end].Engine == turns[0].Engine && turns[end].Workload == turns[0].Workload {
			end++
		}
		line := []string{turns[0].Engine + ": " + turns[0].Workload}
		for _, cell := range []func(measurement) string{
			func(m measurement) string { return fmt.Sprintf("%.2f", m.Ratio) },
			func(m measurement) string { return fmt.Sprintf("%.1f", m.CPU) },
			measurement.halfLoad,
		} {
			var cells [2][]string
			for _, t := range turns[:end] {
				side := 0
				if t.Other {
					side = 1
				}
				cells[side] = append(cells[side], cell(t.measurement))
			}
			line = append(line, strings.Join(cells[0], " "), strings.Join(cells[1], " "))
		}
		lines, turns = append(lines, line), turns[end:]
	}
	table(w, fmt.Sprintf("two servers in turn on the same store, at %d connections", r.most()), lines)
}
