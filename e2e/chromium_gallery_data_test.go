package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"math"
	"path/filepath"
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

// believe gives the webhook an address as a real one has.
func (g *gallery) believe(t *testing.T) {
	t.Helper()
	db := g.open(t)
	defer db.Close()
	if _, err := db.Exec(`update webhooks set url = 'https://seaweed-atlas.example/hooks/tidepool'`); err != nil {
		t.Fatal(err)
	}
}
