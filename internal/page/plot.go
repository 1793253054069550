package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Plot is a number a day, drawn as bars, with a table of the same behind it. The part
// "plot" of the templates shows it.
type Plot struct {
	// Name is unique on its page: ids begin with it.
	Name  string
	Title oauth.Sentence
	// Bars are the days, the oldest first; the last is not over. There are two at least.
	Bars []Bar
	// Warning draws it in the colour of what is wrong.
	Warning bool
}

// Bar is the number of a day.
type Bar struct {
	Day   time.Time
	Value int64
}

// The size of a plot in units of its own; it is as wide as there is room.
const (
	plotWidth, plotHeight = 360, 150
	plotLeft, plotRight   = 34, 354
	plotTop, plotBottom   = 12, 126
	widestBar             = 26
)

// Highest is the bar with the largest value, the first of several.
func (p Plot) Highest() Bar {
	highest := p.Bars[0]
	for _, b := range p.Bars {
		if b.Value > highest.Value {
			highest = b
		}
	}
	return highest
}

// First, Middle and Last are the days that are named below the bars.
func (p Plot) First() time.Time { return p.Bars[0].Day }

// Middle is the day in the middle.
func (p Plot) Middle() time.Time { return p.Bars[len(p.Bars)/2].Day }

// Last is the last day.
func (p Plot) Last() time.Time { return p.Bars[len(p.Bars)-1].Day }

// ViewBox is the viewBox of the drawing.
func (p Plot) ViewBox() string { return fmt.Sprintf("0 0 %d %d", plotWidth, plotHeight) }

// MiddleX is where the middle day is named, BelowY how far down all are.
func (p Plot) MiddleX() string { return tenths(p.x(len(p.Bars)/2) + p.slot()/2) }

// BelowY is the base line of what is below the bars.
func (p Plot) BelowY() int { return plotBottom + 18 }

// LeftX and RightX are the ends of the drawing.
func (p Plot) LeftX() int { return plotLeft }

// RightX is its right end.
func (p Plot) RightX() int { return plotRight }

// Gridline is a line across the plot with the number that it stands for.
type Gridline struct {
	Path  string
	Y     int
	Label string
}

// Grid is three lines: nothing, the round number that no bar exceeds, and half of that.
func (p Plot) Grid() []Gridline {
	top := roundTop(p.Highest().Value)
	var grid []Gridline
	for i, value := range []int64{0, top / 2, top} {
		y := plotBottom - i*(plotBottom-plotTop)/2
		grid = append(grid, Gridline{Path: fmt.Sprintf("M%d %dH%d", plotLeft, y, plotRight), Y: y + 4, Label: short(value)})
	}
	return grid
}

// Closed are the bars of the days that are over, as one path.
func (p Plot) Closed() string { return p.path(0, len(p.Bars)-1) }

// Unfinished is the bar of the day that is not over.
func (p Plot) Unfinished() string { return p.path(len(p.Bars)-1, len(p.Bars)) }

// OpenAt reports whether a day is not over.
func (p Plot) OpenAt(i int) bool { return i == len(p.Bars)-1 }

func (p Plot) slot() float64 { return float64(plotRight-plotLeft) / float64(len(p.Bars)) }

func (p Plot) x(i int) float64 { return plotLeft + p.slot()*float64(i) }

func (p Plot) path(from, to int) string {
	top := float64(roundTop(p.Highest().Value))
	width := min(p.slot()*0.75, widestBar)
	var b strings.Builder
	for i := from; i < to; i++ {
		if p.Bars[i].Value <= 0 {
			continue
		}
		// What is not nothing can be seen.
		height := max(1.5, (plotBottom-plotTop)*float64(p.Bars[i].Value)/top)
		fmt.Fprintf(&b, "M%s %dv-%sh%sv%sz", tenths(p.x(i)+(p.slot()-width)/2), plotBottom, tenths(height), tenths(width), tenths(height))
	}
	return b.String()
}

func tenths(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// roundTop is the smallest round number that is not below n and has a half that is
// round too.
func roundTop(n int64) int64 {
	for decade := int64(1); ; decade *= 10 {
		for _, step := range []int64{4, 6, 8, 10, 12, 16, 20} {
			if top := step * decade; top >= n || top > 1<<58 {
				return top
			}
		}
	}
}

// short writes a round number in few characters.
func short(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.size && n%unit.size == 0 {
			return strconv.FormatInt(n/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// brief writes a day without its year, as in 2 Jan or 2. Jan.
func (l *Language) brief(t time.Time) string {
	month := []rune(l.Plain(t.UTC().Month().String()))
	return l.Plain("%d %s", t.UTC().Day(), string(month[:3]))
}

// number writes a number so that it can be read.
func (l *Language) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteString(l.Plain(","))
		}
		b.WriteRune(d)
	}
	return b.String()
}
