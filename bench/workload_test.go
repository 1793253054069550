package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

var begun = time.Date(2026, 11, 24, 12, 0, 0, 123456789, time.UTC)

func TestATemplatePlacesTheToken(t *testing.T) {
	r := newRows(10, 20, 5, begun)
	token := r.token(oauth.KindAccessToken, 12)
	request := string(newTemplate(get("/check")).with(token))
	want := "GET /check HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token.String() + "\r\n\r\n"
	if request != want {
		t.Errorf("the request is %q, not %q", request, want)
	}
	other := r.token(oauth.KindRefreshToken, 13)
	template := newTemplate(post("/token", "grant_type", "refresh_token", "refresh_token", placeholder))
	template.with(token)
	head, body, _ := strings.Cut(string(template.with(other)), "\r\n\r\n")
	var sent map[string]string
	if err := json.Unmarshal([]byte(body), &sent); err != nil || sent["refresh_token"] != other.String() || len(sent) != 2 {
		t.Errorf("the body is %s: %v", body, err)
	}
	if length, ok := header([]byte(head), "content-length"); !ok || string(length) != strconv.Itoa(len(body)) {
		t.Errorf("the length is given as %q of %d", length, len(body))
	}
}

func TestDrawsStayWithinTheirRows(t *testing.T) {
	w := newDraws(newRows(10, 1000, 5, begun))
	for name, draw := range map[string]func() int{"zipf": w.zipf(), "uniform": w.uniform()} {
		seen := map[int]int{}
		for range 20_000 {
			row := draw()
			if row < 10 || row >= 1010 {
				t.Fatalf("%s draws %d, which is not between 10 and 1009", name, row)
			}
			seen[row]++
		}
		most := 0
		for _, times := range seen {
			most = max(most, times)
		}
		if popular := most > 1000; popular != (name == "zipf") {
			t.Errorf("%s draws one row %d times in 20,000", name, most)
		}
	}
}

func TestNoTwoSequencesOfDrawsAreTheSame(t *testing.T) {
	w := newDraws(newRows(0, 1_000_000, 0, begun))
	one, other := w.uniform(), w.uniform()
	same := 0
	for range 100 {
		if one() == other() {
			same++
		}
	}
	if same > 5 {
		t.Errorf("%d of 100 draws are the same", same)
	}
}

func TestRowsAreUsedOnce(t *testing.T) {
	w := newDraws(newRows(3, 100, 5, begun))
	w.revoked.Store(40)
	seen := map[int]bool{}
	for row := w.nextShuffled(); row >= 0; row = w.nextShuffled() {
		if row < 3+40 || row >= 103 || seen[row] {
			t.Errorf("%d is revoked, used or none of those that are drawn", row)
		}
		seen[row] = true
	}
	if len(seen) != 60 {
		t.Errorf("%d rows were used, not 60", len(seen))
	}
	for want := range 3 {
		if row := w.nextSpare(); row != want {
			t.Errorf("the spare row is %d, not %d", row, want)
		}
	}
	if row := w.nextSpare(); row >= 0 {
		t.Errorf("there is a fourth spare row: %d", row)
	}
	codes := w.exchange(0)
	for i := range 6 {
		if request := codes.next(); (request == nil) != (i == 5) {
			t.Errorf("the request for code %d is %q", i, request)
		}
	}
}

func TestEveryWorkloadMakesRequests(t *testing.T) {
	for _, w := range workloads(newRows(10, 100, 5, begun)) {
		request := w.client(0).next()
		if !bytes.Contains(request, []byte(" HTTP/1.1\r\n")) || bytes.Contains(request, []byte(placeholder)) {
			t.Errorf("%s sends %q", w.name, request)
		}
		if judged := ratioFloor(onSQLite, w.name) > 0 && ratioFloor(onPostgreSQL, w.name) > 0; judged == (w.name == forMix) {
			t.Errorf("%s: that it has floors is %t", w.name, judged)
		}
	}
}

func TestIDsGrowWithTheirNumbers(t *testing.T) {
	r := newRows(10, 500, 0, begun)
	r = r.grown(2000, begun.Add(time.Millisecond)).grown(300_000, begun.Add(time.Hour))
	last := oauth.ID{}
	for number := range r.all() {
		id := r.authorization(number)
		if bytes.Compare(id[:], last[:]) <= 0 {
			t.Fatalf("the id of %d is not above the one before", number)
		}
		last = id
	}
	if first := r.authorization(0); !first.Plausible(begun) || !last.Plausible(begun.Add(time.Hour)) {
		t.Errorf("the ids from %v to %v are not plausible", first.Time(), last.Time())
	}
	if r.authorization(7) != newRows(1, 20, 0, begun).authorization(7) {
		t.Error("an id depends on how many rows there are")
	}
}
