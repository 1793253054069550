package usage

import (
	"sync"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const (
	// aMinute is how many refused requests of an application are written down a minute,
	// at most half of them of somebody who has not proved to be the application. Those
	// beyond are only counted.
	aMinute = 20
	// alike is how many of them may be answered the same.
	alike = 5
	// maxRefusals is how many wait to be written.
	maxRefusals = 4096
	// maxWindows is how many applications are looked at in a minute.
	maxWindows = 4096
)

// refusals collects refused requests.
type refusals struct {
	mu      sync.Mutex
	minute  time.Time
	windows map[oauth.ID]*window
	waiting []oauth.Refusal
	more    map[oauth.ID]int64
	dropped int64
}

// window is what was written down of an application in the present minute.
type window struct {
	begun, unproven int
	kinds           []kind
}

// kind is a refused request of which others may be the like.
type kind struct {
	id                       oauth.ID
	place, code, description string
}

// Refused counts a refused request, and writes it down for the developers of its
// application.
func (m *Meter) Refused(a Attempt, refusal *oauth.Error) {
	m.count(a.Application.ID, oauth.ID{}, func(t *tally) { t.usage.Errors++ })
	now := m.now()
	if !m.refusals.begin(a, refusal, now) {
		return
	}
	id, err := oauth.NewID(m.random, now)
	if err != nil {
		m.log.Error("a refused request could not be written down", "cause", err)
		return
	}
	m.refusals.add(a.refusal(id, refusal, now))
}

// begin reports whether a refused request is to be written down. If not, it is counted
// with one that was: the last of its kind, or else the last.
func (r *refusals) begin(a Attempt, refusal *oauth.Error, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(r.minute) || r.windows == nil {
		r.minute, r.windows = minute, map[oauth.ID]*window{}
	}
	w := r.windows[a.Application.ID]
	if w == nil {
		if len(r.windows) == maxWindows || len(r.waiting) == maxRefusals {
			r.dropped++
			return false
		}
		w = &window{}
		r.windows[a.Application.ID] = w
	}
	same, like := 0, len(w.kinds)-1
	for i, k := range w.kinds {
		if k.place == a.Place && k.code == refusal.Code.Wire && k.description == refusal.Description {
			same, like = same+1, i
		}
	}
	switch {
	case same >= alike:
	case w.begun < aMinute && a.Proven:
		w.begun++
		return true
	case w.begun < aMinute && w.unproven < aMinute/2:
		w.begun++
		w.unproven++
		return true
	}
	if r.more == nil {
		r.more = map[oauth.ID]int64{}
	}
	if like >= 0 {
		r.more[w.kinds[like].id]++
	}
	return false
}

func (r *refusals) add(f oauth.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == maxRefusals {
		r.dropped++
		return
	}
	r.waiting = append(r.waiting, f)
	if w := r.windows[f.ApplicationID]; w != nil && len(w.kinds) < aMinute {
		w.kinds = append(w.kinds, kind{f.ID, f.Place, f.Code, f.Description})
	}
}

// take returns what waits, as far as there is room.
func (r *refusals) take(room int) (waiting []oauth.Refusal, more map[oauth.ID]int64, dropped int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, more, dropped = r.waiting, r.more, r.dropped
	r.waiting, r.more, r.dropped = nil, nil, 0
	if over := len(waiting) - room; over > 0 {
		waiting, dropped = waiting[:room], dropped+int64(over)
	}
	return waiting, more, dropped
}
