package page

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Brand is how a platform makes the pages its own.
type Brand struct {
	// Name stands in the title and at the top of every page; empty stands for Latchkey.
	Name string
	// Logo is an image in the format LogoType (image/svg+xml, image/png, …); nil stands
	// for the key of Latchkey.
	Logo     []byte
	LogoType string
	// Accent is the colour of buttons and links, as #rrggbb, or empty.
	Accent string
	// CSS comes after the stylesheet of the pages.
	CSS []byte
}

// name is the brand's name, or Latchkey's.
func (b Brand) name() string {
	if b.Name == "" {
		return "Latchkey"
	}
	return b.Name
}

// Check refuses a brand that cannot be shown. Its error names the key of the
// configuration.
func (b Brand) Check() error {
	if b.Accent == "" {
		return nil
	}
	if _, ok := parseColour(b.Accent); !ok {
		return fmt.Errorf("brand: accent: %q is not a colour such as #4f4bc8", b.Accent)
	}
	return nil
}

// stylesheet is the custom properties that follow from the accent, and the platform's
// own rules.
func (b Brand) stylesheet() []byte {
	var s strings.Builder
	if accent, ok := parseColour(b.Accent); ok {
		light := accent.readable(colour{1, 1, 1})
		dark := accent.readable(colour{0.08, 0.075, 0.11})
		fmt.Fprintf(&s, ":root{--accent:%s;--on-accent:%s}\n", light, light.onTop())
		fmt.Fprintf(&s, "@media(prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n", dark, dark.onTop())
	}
	return append([]byte(s.String()), b.CSS...)
}

// colour is red, green and blue from 0 to 1, in sRGB.
type colour [3]float64

func parseColour(s string) (c colour, ok bool) {
	if len(s) != 7 || s[0] != '#' {
		return c, false
	}
	for i := range c {
		n, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return c, false
		}
		c[i] = float64(n) / 255
	}
	return c, true
}

// String is the form #rrggbb.
func (c colour) String() string {
	s := "#"
	for _, v := range c {
		s += fmt.Sprintf("%02x", int(math.Round(v*255)))
	}
	return s
}

// luminance and contrast follow WCAG 2.2.
func (c colour) luminance() float64 {
	var linear colour
	for i, v := range c {
		if linear[i] = v / 12.92; v > 0.04045 {
			linear[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*linear[0] + 0.7152*linear[1] + 0.0722*linear[2]
}

func (c colour) contrast(other colour) float64 {
	light, dark := max(c.luminance(), other.luminance()), min(c.luminance(), other.luminance())
	return (light + 0.05) / (dark + 0.05)
}

// readable is the colour moved towards black or white until it can be read on the
// ground (WCAG 2.2, 1.4.3: 4.5 to 1; a little more, for grounds that are tinted).
func (c colour) readable(ground colour) colour {
	var end colour
	if ground.luminance() < 0.2 {
		end = colour{1, 1, 1}
	}
	for range 20 {
		if c.contrast(ground) >= 5.5 {
			break
		}
		for i := range c {
			c[i] += (end[i] - c[i]) * 0.1
		}
	}
	return c
}

// onTop is black or white, whichever reads better on the colour.
func (c colour) onTop() colour {
	if c.contrast(colour{1, 1, 1}) >= c.contrast(colour{}) {
		return colour{1, 1, 1}
	}
	return colour{}
}

// Assets serves the stylesheets, the scripts and the logo below /assets/.
func (p *Pages) Assets() http.Handler {
	files := http.FileServerFS(assets)
	type asset struct {
		kind string
		body []byte
	}
	own := map[string]asset{
		"/assets/style.css": {"text/css; charset=utf-8", p.style},
		"/assets/brand.css": {"text/css; charset=utf-8", p.brand.stylesheet()},
	}
	if p.brand.Logo != nil {
		own["/assets/logo"] = asset{p.brand.LogoType, p.brand.Logo}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		if asset, ok := own[r.URL.Path]; ok {
			w.Header().Set("Content-Type", asset.kind)
			// The browser is gone if this fails.
			_, _ = w.Write(asset.body)
			return
		}
		files.ServeHTTP(w, r)
	})
}
