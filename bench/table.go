package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table writes cells in columns: the first to the left, the others to the right.
func table(w io.Writer, title string, lines [][]string) {
	var widths []int
	for _, line := range lines {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, line := range lines {
		var b strings.Builder
		for i, cell := range line {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("  " + cell + space)
				continue
			}
			b.WriteString("   " + space + cell)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// print writes all that was measured for people to read.
func (r *report) print(w io.Writer) {
	if len(r.Ceiling) > 0 {
		r.printServer(w, &engineReport{Engine: ceilingItself, Measurements: r.Ceiling})
	}
	for _, e := range append(r.Engines[:len(r.Engines):len(r.Engines)], r.Peers...) {
		r.printServer(w, e)
	}
	r.printGrowth(w)
	r.printReplicas(w)
	r.printTurns(w)
	r.printFigures(w)
}

func (r *report) printServer(w io.Writer, e *engineReport) {
	var names []string
	for _, m := range e.Measurements {
		if len(names) == 0 || names[len(names)-1] != m.Workload {
			names = append(names, m.Workload)
		}
	}
	if len(names) == 0 {
		return
	}
	r.printRates(w, e, names)
	r.printLatencies(w, e, names)
	r.printSingles(w, e, names)
}

// printRates tells the requests a second and their ratios to the ceiling.
func (r *report) printRates(w io.Writer, e *engineReport, names []string) {
	head := []string{"workload"}
	for _, n := range r.Connections {
		head = append(head, fmt.Sprintf("at %d", n), "ratio")
	}
	if r.hasFloors(e.Engine) {
		head = append(head, "asked", "")
	}
	lines := [][]string{head}
	for _, name := range names {
		line := []string{name}
		for _, n := range r.Connections {
			if m := find(e.Measurements, name, n); m != nil {
				line = append(line, perSecond(m.Rate), fmt.Sprintf("%.2f", m.Ratio))
			} else {
				line = append(line, "", "")
			}
		}
		lines = append(lines, append(line, marks(r.floorOf(e.Engine, name, ratioToCeiling))...))
	}
	table(w, e.Engine+": requests a second at so many connections, and their ratio to the ceiling", lines)
}

// marks are two cells: what is asked, and whether it was missed.
func marks(f *floor) []string {
	switch {
	case f == nil:
		return []string{"", ""}
	case f.Missed:
		return []string{f.asked(), "MISSED"}
	}
	return []string{f.asked(), ""}
}

func (r *report) hasFloors(engine string) bool {
	return slices.ContainsFunc(r.Floors, func(f floor) bool { return f.Engine == engine })
}

// printLatencies tells milliseconds and CPU seconds at the most connections, each
// with its ratio to what the ceiling took.
func (r *report) printLatencies(w io.Writer, e *engineReport, names []string) {
	head := []string{"workload", "median", "p99", "p99.9", "CPU s/million", "at half load: median", "p99", "p99.9"}
	if r.hasFloors(e.Engine) {
		head = append(head, "asked of p99", "")
	}
	lines := [][]string{head}
	var bare measurement
	if m := find(r.Ceiling, ceilingItself, r.most()); m != nil && e.Engine != ceilingItself {
		bare = *m
	}
	if bare.Open == nil {
		bare.Open = &latencies{}
	}
	for _, name := range names {
		m := find(e.Measurements, name, r.most())
		if m == nil {
			continue
		}
		line := append([]string{name}, m.Closed.beside(bare.Closed)...)
		line = append(line, beside("%.1f", m.CPU, bare.CPU))
		if m.Open == nil {
			line = append(line, "", "", "")
		} else {
			line = append(line, m.Open.beside(*bare.Open)...)
		}
		lines = append(lines, append(line, marks(r.floorOf(e.Engine, name, halfLoadP99))...))
	}
	table(w, fmt.Sprintf("%s: milliseconds at %d connections (in brackets: of the ceiling's)", e.Engine, r.most()), lines)
}

func (l latencies) beside(ceiling latencies) []string {
	return []string{
		beside("%.2f", float64(l.Median), float64(ceiling.Median)),
		beside("%.2f", float64(l.P99), float64(ceiling.P99)),
		beside("%.2f", float64(l.P999), float64(ceiling.P999)),
	}
}

// beside is a figure with its ratio to the ceiling's.
func beside(format string, figure, ceiling float64) string {
	text := fmt.Sprintf(format, figure)
	if ceiling > 0 {
		text += fmt.Sprintf(" (%.1f)", figure/ceiling)
	}
	return text
}

// printSingles tells what a durable token takes at one connection.
func (r *report) printSingles(w io.Writer, e *engineReport, names []string) {
	lines := [][]string{{"workload", "median", "fsync", "asked", ""}}
	for _, name := range names {
		if m := find(e.Measurements, name, 1); m != nil && m.Fsync > 0 {
			line := []string{name, fmt.Sprintf("%.2f", m.Closed.Median), fmt.Sprintf("%.2f", m.Fsync)}
			lines = append(lines, append(line, marks(r.floorOf(e.Engine, name, medianOfOne))...))
		}
	}
	if len(lines) > 1 {
		table(w, e.Engine+": milliseconds at 1 connection, beside the disk's fsync", lines)
	}
}

// printFigures tells what is not of a workload, and what it was measured on.
func (r *report) printFigures(w io.Writer) {
	lines := [][]string{{"", "reached", "asked", ""}}
	figure := func(engine, label, name, reached string) {
		lines = append(lines, append([]string{label, reached}, marks(r.floorOf(engine, "", name))...))
	}
	for _, e := range r.Engines {
		if e.IdleMemory > 0 {
			figure(e.Engine, e.Engine+": resident memory, idle", idleMemory, fmt.Sprintf("%.1f MB", float64(e.IdleMemory)/megabyte))
		}
		if e.MixMemory > 0 {
			figure(e.Engine, e.Engine+": resident memory, after the mix", mixMemory, fmt.Sprintf("%.1f MB", float64(e.MixMemory)/megabyte))
		}
		figure(e.Engine, e.Engine+": exec to first answer", firstAnswer, fmt.Sprintf("%.1f ms", e.FirstAnswer))
		figure(e.Engine, e.Engine+": disk, an authorization", "", fmt.Sprintf("%.0f bytes", e.BytesPerAuthorization))
		figure(e.Engine, e.Engine+": fsync of the disk, median", "", fmt.Sprintf("%.2f ms", e.Fsync))
	}
	figure("", "binary", binarySize, fmt.Sprintf("%.1f MB", float64(r.BinaryBytes)/megabyte))
	table(w, "figures", lines)
	fmt.Fprintf(w, "\n%s, %d cores, Linux %s, %s\n%s, %s, %s authorizations to draw from\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go, r.Version, r.Date.Format("2006-01-02 15:04 MST"), thousands(r.Authorizations))
}

// thousands separates the digits of a number in threes.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func perSecond(rate float64) string { return thousands(int(math.Round(rate))) + "/s" }
