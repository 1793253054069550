package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// past writes a month of usage of an application, and of all together, into the store.
func (g *gallery) past(t *testing.T) {
	t.Helper()
	db := g.open(t)
	defer db.Close()
	id, err := base64.RawURLEncoding.DecodeString(g.atlas.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for ago := range 30 {
		day := today.AddDate(0, 0, -ago)
		busy := (1 + .25*math.Sin(float64(day.YearDay()))) * (1.6 - float64(ago)/30)
		if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
			busy *= 1.5 // people go to the shore
		}
		if ago == 0 {
			busy *= .4
		}
		failures := 3 + day.YearDay()%7
		if ago == 11 {
			failures = 94
		}
		for of, share := range map[string]float64{string(id[:16]): 1, string(make([]byte, 16)): 2.7} {
			_, err := db.Exec(`insert into usage_hours (application_id, hour, issued, refreshed, calls, errors) values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
				[]byte(of), day.UnixMilli(), int(36*busy*share), int(210*busy*share), int(1480*busy*share), int(float64(failures)*share))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(`insert into usage_days (application_id, day, accounts) values (?, ?, ?) on conflict do nothing`, []byte(of), day.UnixMilli(), sketch(int(70*busy), ago)); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err = db.Exec(`with recursive people (n) as (select 1 union all select n + 1 from people where n < 1236)
		insert into accounts (id, email, email_key, username, name, avatar_url, password, administrator, disabled_at, created_at)
		select randomblob(16), n, n, n, 'Visitor ' || n, '', '', 0, 0, ? from people`, today.AddDate(0, 0, -40).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
}

// open opens the store beside the server.
func (g *gallery) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(g.data, "latchkey.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// sketch is a stored estimate of n accounts, of which many come every day.
func sketch(n, ago int) []byte {
	b := []byte{1}
	for place := range n {
		b = append(b, byte((place+ago)>>8), byte(place+ago), 1)
	}
	return b
}

// emblem draws a logo: waves on a colour.
func emblem(t *testing.T, ground color.NRGBA, waves int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 192, 192))
	for y := range 192 {
		for x := range 192 {
			m.SetNRGBA(x, y, ground)
			wave := math.Sin(float64(x)/192*2*math.Pi*float64(waves)) * 12
			for _, height := range []float64{70, 105, 140} {
				if math.Abs(float64(y)-height-wave) < 6 {
					m.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// beElsewhere gives the webhook an address as a real one has.
func (g *gallery) beElsewhere(t *testing.T, l *listener) {
	t.Helper()
	db := g.open(t)
	defer db.Close()
	was, err := url.Parse(l.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		`update webhooks set url = 'https://seaweed-atlas.example/hooks/tidepool'`,
		`update audit set detail = replace(detail, '` + was.Host + `', 'seaweed-atlas.example')`,
	} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
	}
}

// forRepository is given when pictures are taken to be committed: to slim one takes a second.
var forRepository = flag.Bool("for-repository", false, "make the pictures of the documentation small")

// slim makes a screenshot small enough for a repository: what is far down is cut off, and 256
// colours are left.
func slim(t *testing.T, screenshot []byte) []byte {
	t.Helper()
	whole, err := png.Decode(bytes.NewReader(screenshot))
	if err != nil {
		t.Fatal(err)
	}
	size := whole.Bounds()
	size.Max.Y = min(size.Max.Y, 1400)
	opaque := image.NewRGBA(size)
	draw.Draw(opaque, size, whole, image.Point{}, draw.Src)
	count := map[[4]byte]int{}
	for pixel := range slices.Chunk(opaque.Pix, 4) {
		count[[4]byte(pixel)]++
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b [4]byte) int { return count[b] - count[a] })
	reduced := image.NewPaletted(size, nil)
	for _, c := range colours[:min(len(colours), 256)] {
		reduced.Palette = append(reduced.Palette, color.RGBA{c[0], c[1], c[2], c[3]})
	}
	nearest := map[[4]byte]uint8{}
	for c := range count {
		nearest[c] = uint8(reduced.Palette.Index(color.RGBA{c[0], c[1], c[2], c[3]}))
	}
	for i := range reduced.Pix {
		reduced.Pix[i] = nearest[[4]byte(opaque.Pix[4*i:])]
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, reduced); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
