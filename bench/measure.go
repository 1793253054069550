package main

import (
	"fmt"
	"slices"
	"time"
)

// latencies of one load.
type latencies struct {
	Median, P99, P999 time.Duration
}

func latenciesOf(h *histogram) latencies {
	return latencies{h.quantile(0.5), h.quantile(0.99), h.quantile(0.999)}
}

// measurement is one workload at one number of connections.
type measurement struct {
	Workload    string
	Rows        string
	Connections int
	// Rate is requests a second; Ratio is Rate over what the ceiling did just before
	// and after. Of several rounds both are of the one with the median ratio.
	Rate, Ratio float64
	Closed      latencies
	// Open is at half of Rate, at the largest number of connections only.
	Open *latencies `json:",omitempty"`
	// CPU is what the server computed for a million requests, in seconds.
	CPU float64
	// Memory is the server's resident set in bytes when the load ended.
	Memory int64
}

// bench measures servers beside the ceiling.
type bench struct {
	ceiling *process
	// before is what the ceiling did last, by the number of connections.
	before map[int]float64
	length time.Duration
	rounds int
	told   func(format string, args ...any)
}

// warm is how long a load goes on before it is counted.
const warm = 200 * time.Millisecond

// ceilingAt measures the ceiling.
func (b *bench) ceilingAt(connections int) (float64, error) {
	clients := make([]client, connections)
	request := post("/", "grant_type", "client_credentials", "client_id", placeholder, "client_secret", clientSecret(0), "scope", "profile")
	for i := range clients {
		clients[i] = exchangeOf{func() []byte { return request }, issued}
	}
	r, err := closed(b.ceiling.address, clients, warm/2, b.length/2)
	if err != nil {
		return 0, fmt.Errorf("the ceiling: %w", err)
	}
	return r.rate(), nil
}

// run measures a workload; the clients are those of all connections.
func (b *bench) run(p *process, w workload, clients []client, atLast bool) (measurement, error) {
	rounds := 1
	if atLast {
		rounds = b.rounds
	}
	var all []measurement
	for range rounds {
		m, err := b.round(p, w, clients)
		if err != nil {
			return m, fmt.Errorf("%s at %d connections: %w", w.name, len(clients), err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b measurement) int { return int(1e6 * (a.Ratio - b.Ratio)) })
	m := all[len(all)/2]
	if atLast {
		r, err := open(p.address, clients, m.Rate/2, warm, b.length)
		if err != nil {
			return m, fmt.Errorf("%s at half load: %w", w.name, err)
		}
		half := latenciesOf(&r.latency)
		m.Open = &half
	}
	b.told("%-26s %3d connections %8.0f/s  %.2f of the ceiling", w.name, len(clients), m.Rate, m.Ratio)
	return m, nil
}

func (b *bench) round(p *process, w workload, clients []client) (m measurement, err error) {
	before, known := b.before[len(clients)]
	if !known {
		if before, err = b.ceilingAt(len(clients)); err != nil {
			return m, err
		}
	}
	cpu := p.cpu()
	began := time.Now()
	r, err := closed(p.address, clients, warm, b.length)
	if err != nil {
		return m, err
	}
	computed := (p.cpu() - cpu).Seconds() / time.Since(began).Seconds()
	after, err := b.ceilingAt(len(clients))
	if err != nil {
		return m, err
	}
	b.before[len(clients)] = after
	return measurement{
		Workload: w.name, Rows: w.rows, Connections: len(clients),
		Rate: r.rate(), Ratio: r.rate() / ((before + after) / 2),
		Closed: latenciesOf(&r.latency), CPU: computed / r.rate() * 1e6, Memory: p.memory(),
	}, nil
}
