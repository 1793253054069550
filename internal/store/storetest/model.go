package storetest

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// What the model is told of the limits; the rules below are written from
// docs/architecture.md, not from internal/oauth.
const (
	codeLife     = time.Minute
	accessLife   = time.Hour
	inFlight     = 30 * time.Second
	replayWindow = 10 * time.Second
	idleLimit    = 24 * time.Hour
	reasonKept   = 24 * time.Hour
	questionLife = 2 * time.Hour
)

// answer is what the model expects of an event.
type answer string

const (
	granted     answer = "granted"
	refusal     answer = "invalid_grant"
	unprovable  answer = "unrecognised"
	conflict    answer = "changed"
	alreadyDone answer = "answered"
	nothing     answer = "not found"
)

// modelLife is one authorization as the model sees it.
type modelLife struct {
	public               bool
	status               oauth.Status
	generation           int
	made, rotated, ended time.Time
	// limit is when the approval ends, zero for never.
	limit time.Time
	// accessEnds is of the current generation, previousEnds of the one before.
	accessEnds, previousEnds time.Time
}

// redeem is a code with all that belongs to it.
func (m *modelLife) redeem(disabled bool, now time.Time) answer {
	switch {
	case m.status == oauth.StatusActive:
		m.end(now)
		return refusal
	case m.status == oauth.StatusRevoked, !now.Before(m.made.Add(codeLife)), m.over(now), disabled:
		return refusal
	}
	m.status, m.generation, m.rotated, m.accessEnds = oauth.StatusActive, 1, now, m.atMost(now.Add(accessLife))
	return granted
}

// over tells whether the approval was for a time, and it has passed.
func (m *modelLife) over(now time.Time) bool { return !m.limit.IsZero() && !now.Before(m.limit) }

// atMost is a time, or when the approval ends if that is sooner.
func (m *modelLife) atMost(t time.Time) time.Time {
	if m.limit.IsZero() {
		return t
	}
	return earlier(t, m.limit)
}

// present is the genuine refresh token of a generation, shown by its application.
func (m *modelLife) present(generation int, disabled bool, now time.Time) answer {
	switch {
	case m.status == oauth.StatusRevoked:
		return refusal
	case generation < m.generation-1:
		return unprovable
	case now.Sub(m.rotated) >= idleLimit, m.over(now), disabled:
		return refusal
	case generation == m.generation:
		m.previousEnds = earlier(m.accessEnds, now.Add(inFlight))
		m.generation, m.rotated, m.accessEnds = m.generation+1, now, m.atMost(now.Add(accessLife))
		return granted
	case m.public && now.Sub(m.rotated) >= replayWindow:
		m.end(now)
		return refusal
	case !now.Before(m.accessEnds):
		m.accessEnds = m.atMost(now.Add(accessLife))
	}
	return granted
}

func (m *modelLife) end(now time.Time) {
	if m.status != oauth.StatusRevoked {
		m.status, m.ended = oauth.StatusRevoked, now
	}
}

// alive tells of the access token of a generation.
func (m *modelLife) alive(generation int, now time.Time) bool {
	switch {
	case m.status != oauth.StatusActive:
		return false
	case generation == m.generation:
		return now.Before(m.accessEnds)
	}
	return generation == m.generation-1 && now.Before(m.previousEnds)
}

// dispensable reports whether the row may be gone: it can matter to nobody.
func (m *modelLife) dispensable(now time.Time) bool {
	switch m.status {
	case oauth.StatusPending:
		return !now.Before(m.made.Add(questionLife))
	case oauth.StatusActive:
		return now.Sub(m.rotated) >= idleLimit || m.over(now.Add(-reasonKept))
	}
	return now.Sub(m.ended) >= reasonKept
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// modelApplication is an application as the model sees it.
type modelApplication struct {
	row                           oauth.Application
	suspended, deleted, consented bool
	// limit is when the consent counts no more, zero for never.
	limit time.Time
}

// covers tells whether the account need not be asked for an approval with this limit.
func (m *modelApplication) covers(limit, now time.Time) bool {
	switch {
	case !m.consented:
		return false
	case m.limit.IsZero():
		return true
	}
	return now.Before(m.limit) && !limit.IsZero() && !limit.After(m.limit)
}
