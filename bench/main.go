// Command bench measures Latchkey: the real binary, loaded from this process through
// real sockets, on SQLite and on PostgreSQL, beside a handler that does nothing (the
// ceiling) and beside other servers where they are installed. It prints a table,
// writes a report in JSON and a plot, and fails where a floor is not reached. What
// the figures mean is told in docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
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
	// grow are the sizes of the growth run; replicas is how many servers share a
	// database at last; against is a binary to compare with. Where one of them is given,
	// nothing else is measured.
	grow     []int
	replicas int
	against  string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "ceiling" {
		exit(serveCeiling())
	}
	o, err := parse()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, o)
		stop()
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
	flag.DurationVar(&o.length, "length", 500*time.Millisecond, "how long each load is counted")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each workload is measured where it has a floor; the median counts")
	flag.StringVar(&o.folder, "report", "bench/report", "folder for the report and the plot")
	flag.IntVar(&o.replicas, "replicas", 0, "measure 1 to this many servers on one PostgreSQL, nothing else")
	flag.StringVar(&o.against, "against", "", "another binary: measure both in turn on the same store, nothing else")
	engines := flag.String("engines", onSQLite+","+onPostgreSQL, "engines to measure")
	connections := flag.String("connections", "1,16,64", "numbers of connections, ascending")
	grow := flag.String("grow", "", "numbers of living authorizations, ascending: measure what growth costs, nothing else")
	workloads := flag.String("workloads", "", "measure only the workloads whose name matches this regular expression")
	flag.Parse()
	for name := range strings.SplitSeq(*engines, ",") {
		if name != onSQLite && name != onPostgreSQL {
			return o, fmt.Errorf("engines: %q is neither %s nor %s", name, onSQLite, onPostgreSQL)
		}
		o.engines = append(o.engines, name)
	}
	if o.connections, err = ascending(*connections); err != nil {
		return o, fmt.Errorf("connections: %w", err)
	}
	if *grow != "" {
		if o.grow, err = ascending(*grow); err != nil {
			return o, fmt.Errorf("grow: %w", err)
		}
	}
	if o.living < 2 || o.rounds < 1 || o.length <= 0 || o.replicas < 0 {
		return o, errors.New("authorizations, rounds, length and replicas are to be positive")
	}
	o.workloads, err = regexp.Compile(*workloads)
	return o, err
}

// ascending reads numbers above zero that grow, separated by commas.
func ascending(list string) ([]int, error) {
	var numbers []int
	for text := range strings.SplitSeq(list, ",") {
		number, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		if number <= 0 || len(numbers) > 0 && number <= numbers[len(numbers)-1] {
			return nil, fmt.Errorf("%d does not come in ascending order", number)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

// run measures what the options ask for, and reports it: also what there was before
// an error.
func run(ctx context.Context, o options) (err error) {
	r, err := newReport(ctx, o)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ceiling, err := start(self, "ceiling")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ceiling.stop()) }()
	b := &bench{ceiling: ceiling, before: map[int]ceilingRate{}, length: o.length, rounds: o.rounds, told: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}}
	name, measure := "report", b.servers
	switch {
	case len(o.grow) > 0:
		name, measure = "growth", b.growth
		r.Authorizations = o.grow[len(o.grow)-1]
	case o.replicas > 0:
		name, measure = "replicas", b.replicas
	case o.against != "":
		name, measure = "turns", b.compare
	}
	failed := measure(ctx, o, r)
	r.Floors = r.judge()
	r.print(os.Stdout)
	return errors.Join(failed, r.write(o.folder, name), r.verdict())
}

// servers measures the ceiling, the engines and the peers.
func (b *bench) servers(ctx context.Context, o options, r *report) (err error) {
	bare := workload{ceilingItself, "none", func(int) client { return bareClient() }}
	if r.Ceiling, err = b.measure(ctx, b.ceiling, bare, o.connections); err != nil {
		return err
	}
	for _, name := range o.engines {
		report := &engineReport{Engine: name}
		r.Engines = append(r.Engines, report)
		if err := b.onEngine(ctx, o, r, report); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	// They have no floors: one round will do.
	once := *b
	once.rounds, o.rounds = 1, 1
	if r.Peers, err = once.peers(ctx, o); err != nil {
		// What a peer cannot do says nothing about Latchkey.
		b.told("the peers: %v", err)
	}
	return ctx.Err()
}
