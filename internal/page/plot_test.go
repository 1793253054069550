package page

import (
	"bytes"
	"encoding/xml"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestPlotsAreDrawnToARoundNumber(t *testing.T) {
	for _, c := range []struct {
		highest int64
		want    string
	}{
		{0, "0 2 4"}, {1, "0 2 4"}, {4, "0 2 4"}, {5, "0 3 6"}, {11, "0 6 12"}, {17, "0 10 20"}, {21, "0 20 40"}, {399, "0 200 400"},
		{401, "0 300 600"}, {999, "0 500 1k"}, {1001, "0 600 1200"}, {2_000, "0 1k 2k"}, {3_999, "0 2k 4k"}, {123_456, "0 80k 160k"}, {700_000, "0 400k 800k"}, {900_000, "0 500k 1M"}, {1_700_001, "0 1M 2M"},
		{math.MaxInt64, "0 200000T 400000T"},
	} {
		p := Plot{Bars: []Bar{{Value: 0}, {Value: c.highest}}}
		var labels []string
		for _, g := range p.Grid() {
			labels = append(labels, g.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("up to %d the scale is %s; want %s", c.highest, got, c.want)
		}
	}
}

func TestNumbersAreGrouped(t *testing.T) {
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n               int64
		english, german string
	}{{0, "0", "0"}, {999, "999", "999"}, {1000, "1,000", "1.000"}, {1234567, "1,234,567", "1.234.567"}, {-1000, "-1,000", "-1.000"}, {-100, "-100", "-100"}} {
		if e, g := languages[0].number(c.n), languages[1].number(c.n); e != c.english || g != c.german {
			t.Errorf("%d is written %s and %s", c.n, e, g)
		}
	}
}

// TestPlotCanBeReadWithoutBeingSeen holds what a screen reader, and a person who opens
// the table, is told.
func TestPlotCanBeReadWithoutBeingSeen(t *testing.T) {
	p := Plot{Name: "calls", Title: oauth.Say("Accounts")}
	for i := range 30 {
		p.Bars = append(p.Bars, Bar{Day: time.Date(2026, 10, 5+i, 0, 0, 0, 0, time.UTC), Value: int64(i % 7 * 1000)})
	}
	drawn := drawPlot(t, p, 0)
	for _, want := range []string{
		`aria-labelledby="calls-title calls-about"`, `<title id="calls-title">Accounts</title>`,
		"From 5 Oct to 3 Nov. The most was 6,000, on 11 Oct.", "Accounts as a table", `<th>11 Oct</th><td>6,000</td>`, `<th>3 Nov</th><td>1,000 (so far)</td>`, `class="bars open"`,
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the plot has no %q:\n%s", want, drawn)
		}
	}
	if strings.Contains(drawn, "style=") {
		t.Error("the plot has a style attribute, which the policy refuses")
	}
	_, svg, _ := strings.Cut(drawn, "<svg")
	svg, _, _ = strings.Cut(svg, "</svg>")
	if err := xml.Unmarshal([]byte("<svg"+svg+"</svg>"), &struct{}{}); err != nil {
		t.Errorf("the drawing is not well-formed: %v", err)
	}
	if german := drawPlot(t, p, 1); !strings.Contains(german, "11. Okt") || !strings.Contains(german, "6.000") {
		t.Errorf("in German:\n%s", german)
	}
}

func TestPlotOfNothingSaysSo(t *testing.T) {
	p := Plot{Name: "calls", Title: oauth.Say("Accounts"), Bars: make([]Bar, 7)}
	if drawn := drawPlot(t, p, 0); !strings.Contains(drawn, "There was nothing.") || !strings.Contains(drawn, `<path class="bars" d=""/>`) {
		t.Error(drawn)
	}
}

func drawPlot(t *testing.T, p Plot, language int) string {
	t.Helper()
	pages := newPages(t)
	made, err := pages.byLanguage[pages.languages[language]].find("profile")
	if err != nil {
		t.Fatal(err)
	}
	var drawn bytes.Buffer
	if err := made.ExecuteTemplate(&drawn, "plot", p); err != nil {
		t.Fatal(err)
	}
	return drawn.String()
}
