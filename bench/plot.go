package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// The plot's measures in pixels.
const (
	plotWidth  = 960
	plotLeft   = 210
	plotRight  = 126
	plotTop    = 104
	plotBottom = 56
	barHeight  = 14
	groupSpace = 12
)

// The plot's colours, on a light ground of its own.
const (
	groundColour = "#fbfaf7"
	textColour   = "#22303c"
	quietColour  = "#66737f"
	gridColour   = "#dfe3e6"
	missedColour = "#b3261e"
)

func colourOf(engine string) string {
	if engine == onSQLite {
		return "#2c6e9e"
	}
	return "#d98e32"
}

func titleOf(engine string) string {
	switch engine {
	case onSQLite:
		return "SQLite"
	case onPostgreSQL:
		return "PostgreSQL"
	}
	return engine
}

// drawing is an SVG picture that is being written.
type drawing struct{ bytes.Buffer }

func (d *drawing) rect(x, y, width, height float64, colour string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, width, height, colour)
}

func (d *drawing) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, colour, width)
}

// text is anchored at its start, its middle or its end.
func (d *drawing) text(x, y float64, anchor string, size int, colour, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s">%s</text>`+"\n", x, y, anchor, size, colour, escaped(text))
}

func escaped(text string) string {
	var b strings.Builder
	// Nothing fails to be written to a Builder.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

// plot draws the ratios to the ceiling at the most connections, each with its floor.
func (r *report) plot() []byte {
	names, most := r.plotted()
	limit := math.Max(1, math.Ceil(most*5)/5)
	group := float64(barHeight*len(r.Engines) + groupSpace)
	bottom := plotTop + group*float64(len(names))
	height := bottom + plotBottom
	at := func(ratio float64) float64 { return plotLeft + ratio/limit*(plotWidth-plotLeft-plotRight) }

	d := &drawing{}
	title := fmt.Sprintf("Latchkey at %d connections: requests a second, of the ceiling's", r.most())
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(d, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n", escaped(title), escaped(r.described(names)))
	d.rect(0, 0, plotWidth, height, groundColour)
	d.text(24, 38, "start", 20, textColour, title)
	d.text(24, 58, "start", 12, quietColour, fmt.Sprintf("%s, %d cores, load generator included; %s living authorizations; %s", r.Machine.CPU, r.Machine.Cores, thousands(r.Authorizations), r.Date.Format("2006-01-02")))
	r.drawLegend(d)
	for ratio := 0.0; ratio < limit+0.01; ratio += 0.2 {
		d.line(at(ratio), plotTop-4, at(ratio), bottom, gridColour, 1)
		d.text(at(ratio), bottom+18, "middle", 12, quietColour, fmt.Sprintf("%.1f", ratio))
	}
	d.text(at(limit/2), bottom+40, "middle", 12, quietColour, "ratio to a handler that parses the same body, draws a token and stores nothing")
	for i, name := range names {
		y := plotTop + group*float64(i)
		d.text(plotLeft-12, y+group/2-1, "end", 13, textColour, name)
		for j, e := range r.Engines {
			r.drawBar(d, e, name, y+float64(groupSpace/2+j*barHeight), at)
		}
	}
	d.line(at(0), plotTop-4, at(0), bottom, textColour, 1)
	d.WriteString("</svg>\n")
	return d.Bytes()
}

// plotted are the workloads that any engine was measured with, and the largest ratio.
func (r *report) plotted() (names []string, most float64) {
	seen := map[string]bool{}
	for _, e := range r.Engines {
		for _, m := range e.Measurements {
			if m.Connections != r.most() {
				continue
			}
			if !seen[m.Workload] {
				names = append(names, m.Workload)
			}
			seen[m.Workload] = true
			most = math.Max(most, m.Ratio)
		}
	}
	return names, most
}

// described is the plot in words.
func (r *report) described(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%s:", name)
		for _, e := range r.Engines {
			if m := find(e.Measurements, name, r.most()); m != nil {
				fmt.Fprintf(&b, " %s %.2f", titleOf(e.Engine), m.Ratio)
			}
			if f := r.floorOf(e.Engine, name, ratioToCeiling); f != nil {
				fmt.Fprintf(&b, " (asked %.2f)", f.Asked)
			}
		}
		b.WriteString(". ")
	}
	return strings.TrimSpace(b.String())
}

func (r *report) drawLegend(d *drawing) {
	x := 24.0
	for _, e := range r.Engines {
		d.rect(x, 74, 12, 12, colourOf(e.Engine))
		d.text(x+18, 85, "start", 12, textColour, titleOf(e.Engine))
		x += 30 + 7.2*float64(len(titleOf(e.Engine)))
	}
	d.line(x+5, 72, x+5, 88, textColour, 2.5)
	d.text(x+14, 85, "start", 12, textColour, "asked at least")
}

func (r *report) drawBar(d *drawing, e *engineReport, name string, y float64, at func(float64) float64) {
	m := find(e.Measurements, name, r.most())
	if m == nil {
		return
	}
	d.rect(at(0), y, at(m.Ratio)-at(0), barHeight-1, colourOf(e.Engine))
	const column = plotWidth - plotRight + 16
	d.text(column, y+barHeight-2, "start", 12, colourOf(e.Engine), "■")
	d.text(column+16, y+barHeight-2, "start", 12, textColour, fmt.Sprintf("%.2f", m.Ratio))
	f := r.floorOf(e.Engine, name, ratioToCeiling)
	if f == nil {
		return
	}
	// A lighter line below sets it off from the bar.
	d.line(at(f.Asked), y, at(f.Asked), y+barHeight-1, groundColour, 5)
	d.line(at(f.Asked), y-1, at(f.Asked), y+barHeight, textColour, 2)
	if f.Missed {
		d.text(column+46, y+barHeight-2, "start", 12, missedColour, "missed")
	}
}
