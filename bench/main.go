// Command bench measures Latchkey: the real binary, loaded from this process through
// real sockets, on SQLite and on PostgreSQL, beside a handler that does nothing (the
// ceiling) and beside other servers where they are installed. It prints a table,
// writes a report in JSON and a plot, and fails where a floor is not reached. What
// the figures mean is told in docs/performance.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// options are what the flags say.
type options struct {
	binary      string
	engines     []string
	connections []int
	workloads   *regexp.Regexp
	living      int
	length      time.Duration
	rounds      int
	folder      string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "ceiling" {
		exit(serveCeiling())
	}
	o, err := parse()
	if err == nil {
		err = run(context.Background(), o)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse() (o options, err error) {
	flag.StringVar(&o.binary, "latchkey", "./latchkey", "the binary to measure")
	flag.IntVar(&o.living, "authorizations", 1_000_000, "how many living authorizations there are")
	flag.DurationVar(&o.length, "length", time.Second, "how long each load is counted")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each workload is measured at the most connections; the median counts")
	flag.StringVar(&o.folder, "report", "bench/report", "folder for report.json and report.svg")
	engines := flag.String("engines", onSQLite+","+onPostgreSQL, "engines to measure")
	connections := flag.String("connections", "1,16,64", "numbers of connections, ascending")
	workloads := flag.String("workloads", "", "measure only the workloads whose name matches this regular expression")
	flag.Parse()
	o.engines = strings.Split(*engines, ",")
	for n := range strings.SplitSeq(*connections, ",") {
		number, err := strconv.Atoi(n)
		if err != nil {
			return o, fmt.Errorf("connections: %w", err)
		}
		o.connections = append(o.connections, number)
	}
	o.workloads, err = regexp.Compile(*workloads)
	return o, err
}

func run(ctx context.Context, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ceiling, err := start(self, "ceiling")
	if err != nil {
		return err
	}
	defer ceiling.stop()
	b := &bench{ceiling: ceiling, before: map[int]float64{}, length: o.length, rounds: o.rounds, told: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}}
	for _, name := range o.engines {
		if _, err := b.engine(ctx, o, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// engineReport is what was measured on one engine.
type engineReport struct {
	Engine string
	// FirstAnswer is from exec to the first answer on the filled store.
	FirstAnswer time.Duration
	// IdleMemory and MixMemory are resident sets in bytes: after the start on an empty
	// store, and after the mix.
	IdleMemory, MixMemory int64
	// BytesPerAuthorization is what a living one takes on the disk.
	BytesPerAuthorization float64
	// Fsync is the median of what the disk takes to keep a few pages.
	Fsync        time.Duration
	Measurements []measurement
}

// engine measures all workloads on one engine.
func (b *bench) engine(ctx context.Context, o options, name string) (*engineReport, error) {
	e, err := newEngine(name)
	if err != nil {
		return nil, err
	}
	defer e.close()
	report := &engineReport{Engine: name}
	if report.Fsync, err = e.fsync(); err != nil {
		return nil, err
	}
	p, err := e.serve(o.binary)
	if err != nil {
		return nil, err
	}
	report.IdleMemory = p.memory()
	if err := p.stop(); err != nil {
		return nil, err
	}
	r := rows{born: time.Now().Add(-time.Hour), living: o.living + spare, pending: 400_000}
	began := time.Now()
	err = e.fill(ctx, r, func(done, all int) { b.told("%s: %d of %d authorizations are prepared", name, done, all) })
	if err != nil {
		return nil, fmt.Errorf("prepare the rows: %w", err)
	}
	size, err := e.size(ctx)
	if err != nil {
		return nil, err
	}
	report.BytesPerAuthorization = float64(size) / float64(r.living+r.pending)
	b.told("%s: prepared in %v, %.0f bytes each", name, time.Since(began).Round(time.Second), report.BytesPerAuthorization)
	if p, err = e.serve(o.binary); err != nil {
		return nil, err
	}
	defer p.stop()
	report.FirstAnswer = p.first
	for _, w := range workloads(r, o.living) {
		if !o.workloads.MatchString(w.name) {
			continue
		}
		most := o.connections[len(o.connections)-1]
		clients := make([]client, most)
		for i := range clients {
			clients[i] = w.client(i)
		}
		for _, connections := range o.connections {
			m, err := b.run(p, w, clients[:connections], connections == most)
			if err != nil {
				return nil, err
			}
			report.Measurements = append(report.Measurements, m)
		}
	}
	return report, nil
}
