package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// millis is a duration in milliseconds, to the microsecond.
type millis float64

func millisOf(d time.Duration) millis { return millis(math.Round(d.Seconds()*1e6) / 1e3) }

// latencies of one load.
type latencies struct {
	Median millis `json:"median_ms"`
	P99    millis `json:"p99_ms"`
	P999   millis `json:"p999_ms"`
}

func latenciesOf(h *histogram) latencies {
	return latencies{millisOf(h.quantile(0.5)), millisOf(h.quantile(0.99)), millisOf(h.quantile(0.999))}
}

// measurement is one workload at one number of connections.
type measurement struct {
	Workload    string `json:"workload"`
	Rows        string `json:"rows"`
	Connections int    `json:"connections"`
	// Rate is requests a second; Ratio is Rate over what the ceiling did just before
	// and after. Of several rounds all figures are of the one with the median ratio.
	Rate   float64   `json:"requests_per_second"`
	Ratio  float64   `json:"ratio_to_ceiling"`
	Closed latencies `json:"closed_loop"`
	// Open is at half of Rate, at the largest number of connections only; of several
	// rounds the one with the median 99th percentile.
	Open *latencies `json:"half_load,omitempty"`
	// CPU is what the server computed for a million requests, in seconds.
	CPU float64 `json:"cpu_s_per_million"`
	// Memory is the server's resident set in bytes when the load ended.
	Memory int64 `json:"memory_bytes"`
	// Fsync is the median of what the disk took to keep a few pages, just before and
	// after; for requests that write, at one connection only.
	Fsync millis `json:"fsync_ms,omitempty"`
}

// bench measures servers beside the ceiling.
type bench struct {
	ceiling *process
	// before is what the ceiling did last, by the number of connections.
	before map[int]ceilingRate
	// data is where the server keeps its own; nil where it is not known.
	data   *engine
	length time.Duration
	rounds int
	told   func(format string, args ...any)
}

// ceilingRate is what the ceiling did at a moment.
type ceilingRate struct {
	rate float64
	at   time.Time
}

const (
	// warm is how long a load goes on before it is counted.
	warm = 100 * time.Millisecond
	// fresh is how old a rate of the ceiling may be: the machine has neighbours.
	fresh = time.Second
)

// ceilingItself is the name of the ceiling where it stands among workloads.
const ceilingItself = "ceiling"

// bareClient is a client of the ceiling.
func bareClient() client {
	request := post("/", "grant_type", "client_credentials", "client_id", placeholder, "client_secret", clientSecret(0), "scope", "profile")
	return client{func() []byte { return request }, issued}
}

// ceilingAt measures the ceiling.
func (b *bench) ceilingAt(connections int) (float64, error) {
	clients := make([]client, connections)
	for i := range clients {
		clients[i] = bareClient()
	}
	r, err := closed(b.ceiling.addresses(), clients, warm/2, b.length/2)
	if err != nil {
		return 0, fmt.Errorf("the ceiling: %w", err)
	}
	b.before[connections] = ceilingRate{r.rate(), time.Now()}
	return r.rate(), nil
}

// measure measures a workload at each number of connections. Of a workload that ran
// out of rows it returns what it has.
func (b *bench) measure(ctx context.Context, p *process, w workload, connections []int) ([]measurement, error) {
	most := connections[len(connections)-1]
	clients := make([]client, most)
	for i := range clients {
		clients[i] = w.client(i)
	}
	var all []measurement
	for _, n := range connections {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		m, err := b.run(p, w, clients[:n], n == most)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// atMost measures workloads at the most connections alone.
func (b *bench) atMost(ctx context.Context, p *process, all []workload, most int, add func(measurement)) error {
	for _, w := range all {
		measurements, err := b.measure(ctx, p, w, []int{most})
		if err != nil {
			return err
		}
		add(measurements[0])
	}
	return nil
}

// run measures a workload; the clients are those of all connections.
func (b *bench) run(p *process, w workload, clients []client, atLast bool) (measurement, error) {
	m, err := b.measured(p, w, clients, atLast)
	if errors.As(err, new(errUnmeasured)) {
		return m, fmt.Errorf("%s at %d connections: %w", w.name, len(clients), err)
	}
	if err != nil {
		return m, errors.Join(fmt.Errorf("%s at %d connections: %w", w.name, len(clients), err), p.died())
	}
	b.told("%-26s %3d connections %8.0f/s  %.2f of the ceiling", w.name, len(clients), m.Rate, m.Ratio)
	return m, nil
}

func (b *bench) measured(p *process, w workload, clients []client, atLast bool) (m measurement, err error) {
	// Only what is judged is worth the time of several rounds.
	rounds := 1
	if b.data != nil && len(clients) == 1 && durable(w.name) {
		var h histogram
		if err := b.data.sync(&h); err != nil {
			return m, err
		}
		defer func() {
			err = errors.Join(err, b.data.sync(&h))
			m.Fsync = millisOf(h.quantile(0.5))
		}()
		rounds = b.rounds
	}
	if atLast {
		rounds = b.rounds
	}
	if m, err = b.median(p, w, clients, rounds); err == nil && atLast {
		m.Open, err = b.halfLoad(p, clients, m.Rate)
	}
	return m, err
}

// median is the round with the median ratio.
func (b *bench) median(p *process, w workload, clients []client, rounds int) (m measurement, err error) {
	var all []measurement
	for range rounds {
		if m, err = b.round(p, w, clients); err != nil {
			return m, err
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b measurement) int { return cmp.Compare(a.Ratio, b.Ratio) })
	return all[len(all)/2], nil
}

// halfLoad measures at half of a rate.
func (b *bench) halfLoad(p *process, clients []client, rate float64) (*latencies, error) {
	var all []latencies
	for range b.rounds {
		r, err := open(p.addresses(), clients, rate/2, warm, b.length)
		if err != nil {
			return nil, fmt.Errorf("at half load: %w", err)
		}
		all = append(all, latenciesOf(&r.latency))
	}
	slices.SortFunc(all, func(a, b latencies) int { return cmp.Compare(a.P99, b.P99) })
	return &all[len(all)/2], nil
}

func (b *bench) round(p *process, w workload, clients []client) (m measurement, err error) {
	last := b.before[len(clients)]
	before := last.rate
	if time.Since(last.at) > fresh {
		if before, err = b.ceilingAt(len(clients)); err != nil {
			return m, err
		}
	}
	cpu := p.cpu()
	began := time.Now()
	r, err := closed(p.addresses(), clients, warm, b.length)
	if err != nil {
		return m, err
	}
	if r.requests == 0 {
		return m, errStalled
	}
	computed := (p.cpu() - cpu).Seconds() / time.Since(began).Seconds()
	after, err := b.ceilingAt(len(clients))
	if err != nil {
		return m, err
	}
	return measurement{
		Workload: w.name, Rows: w.rows, Connections: len(clients),
		Rate: r.rate(), Ratio: r.rate() / ((before + after) / 2),
		Closed: latenciesOf(&r.latency), CPU: computed / r.rate() * 1e6, Memory: p.memory(),
	}, nil
}
