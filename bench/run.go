package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey/latchkey/internal/store"
)

// onEngine measures all workloads on one engine.
func (b *bench) onEngine(ctx context.Context, o options, r *report, report *engineReport) (err error) {
	e, err := newEngine(report.Engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	var h histogram
	if err := e.sync(&h); err != nil {
		return err
	}
	report.Fsync = millisOf(h.quantile(0.5))
	empty, err := e.serve(o.binary)
	if err != nil {
		return err
	}
	report.IdleMemory = empty.memory()
	if err := empty.stop(); err != nil {
		return err
	}
	prepared := o.rows(r.Ceiling)
	if report.BytesPerAuthorization, err = b.prepare(ctx, e, prepared); err != nil {
		return fmt.Errorf("prepare the rows: %w", err)
	}
	p, first, err := started(e, o.binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	report.FirstAnswer = millisOf(first)
	b.data = e
	defer func() { b.data = nil }()
	return b.onServer(ctx, o, p, workloads(prepared), r, report)
}

// onServer measures the workloads that the options name.
func (b *bench) onServer(ctx context.Context, o options, p *process, all []workload, r *report, report *engineReport) error {
	chosen := o.chosen(all)
	if slices.ContainsFunc(chosen, byZipf) {
		if err := b.remember(p, all, r.most(), o.living); err != nil {
			return err
		}
	}
	for _, w := range chosen {
		measurements, err := b.measure(ctx, p, w, o.connections)
		report.Measurements = append(report.Measurements, measurements...)
		switch {
		case errors.As(err, new(errUnmeasured)):
			b.told("%v", err)
			r.Unmeasured = append(r.Unmeasured, report.Engine+": "+err.Error())
		case err != nil:
			return err
		}
		if w.name == forMix {
			report.MixMemory = p.memory()
		}
	}
	return nil
}

// chosen are the workloads that are asked for.
func (o options) chosen(all []workload) []workload {
	return slices.DeleteFunc(slices.Clone(all), func(w workload) bool { return !o.workloads.MatchString(w.name) })
}

// started starts the server on the filled store thrice, and returns the last one with
// the median of what it took to answer.
func started(e *engine, binary string) (*process, time.Duration, error) {
	var firsts []time.Duration
	for {
		p, err := e.serve(binary)
		if err != nil {
			return nil, 0, err
		}
		firsts = append(firsts, p.first)
		if len(firsts) == 3 {
			slices.Sort(firsts)
			return p, firsts[1], nil
		}
		if err := p.stop(); err != nil {
			return nil, 0, err
		}
	}
}

// rows are as many as the workloads can use up, with the ceiling's rates known.
func (o options) rows(ceiling []measurement) rows {
	most := o.connections[len(o.connections)-1]
	var rate float64
	for _, m := range ceiling {
		rate = max(rate, m.Rate)
	}
	// A load at half of the rate uses half as much; no workload that uses up rows comes
	// near to the ceiling.
	loads := float64(len(o.connections)-1) + 1.5*float64(o.rounds)
	used := int(0.8 * rate * loads * (warm + o.length).Seconds())
	// The mix has a hundredth of revocations, and both it and the chains take one for each connection.
	return newRows(2*most+used/50, o.living, used, time.Now())
}

// prepare fills an engine and returns how many bytes of the disk an authorization takes.
func (b *bench) prepare(ctx context.Context, e *engine, r rows) (float64, error) {
	if err := e.fill(ctx, func(s *store.Store) error { return r.fillPeople(ctx, s) }); err != nil {
		return 0, err
	}
	before, err := e.size(ctx)
	if err != nil {
		return 0, err
	}
	if err := b.fill(ctx, e, r, 0); err != nil {
		return 0, err
	}
	after, err := e.size(ctx)
	return float64(after-before) / float64(r.all()), err
}

// fill prepares authorizations from a number on.
func (b *bench) fill(ctx context.Context, e *engine, r rows, from int) error {
	began := time.Now()
	err := e.fill(ctx, func(s *store.Store) error {
		return r.fill(ctx, s, from, func(done int) { b.told("%s: %d of %d authorizations are prepared", e.name, done, r.all()) })
	})
	if err == nil {
		err = e.occupy(ctx, r)
	}
	if err == nil {
		b.told("%s: %d authorizations prepared in %v", e.name, r.all()-from, time.Since(began).Round(time.Second))
	}
	return err
}

// remember lets a server that was just started have in memory what is asked for
// often, as one has that has run for a while: it is asked twice as many times as there are
// living authorizations, up to two million times. By then it has nearly all that fits.
func (b *bench) remember(p *process, all []workload, connections, living int) error {
	i := slices.IndexFunc(all, func(w workload) bool { return w.name == forMeZipf })
	clients := make([]client, connections)
	for j := range clients {
		clients[j] = all[i].client(j)
	}
	for asked := 0; asked < 2*min(living, 1_000_000); {
		r, err := closed(p.addresses(), clients, 0, time.Second)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", all[i].name, err), p.died())
		}
		asked += max(int(r.requests), 1)
	}
	return nil
}
