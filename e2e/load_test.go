package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The limits of a load: how long any request may take, and how often a chain is refreshed before
// it is replaced, since generations are counted.
const (
	slowest     = 10 * time.Second
	chainLength = 2000
)

// load is honest clients at work. It keeps what was acknowledged to them, to be checked after a
// catastrophe.
type load struct {
	s      *server
	app    application
	chains []*chain

	mu     sync.Mutex
	issued []string // acknowledged access tokens
	ended  []string // access tokens whose revocation was acknowledged
	wrong  []string // answers that no honest client should get
	worst  time.Duration

	acknowledged, refused, lost atomic.Int64
	// mortal: the server itself is going to be killed, so connections may break.
	mortal  atomic.Bool
	stop    chan struct{}
	workers sync.WaitGroup
}

// chain is a client that refreshes its tokens again and again.
type chain struct {
	first, before, held tokens
	length              int
	// unsure: a refresh of what is held was sent and no answer came.
	unsure bool
}

func newLoad(t *testing.T, s *server) *load {
	t.Helper()
	l := &load{s: s, app: s.register(t, registration{})}
	for range 4 {
		l.chains = append(l.chains, l.newChain(t))
	}
	return l
}

func (l *load) newChain(t *testing.T) *chain {
	t.Helper()
	got := l.s.grant(t, l.app)
	return &chain{first: got, held: got}
}

// begin sets the clients to work until end.
func (l *load) begin() {
	l.stop = make(chan struct{})
	for range 3 {
		l.work(func() { l.issue() })
		l.work(l.revoke)
	}
	for _, c := range l.chains {
		l.work(func() { l.refresh(c) })
	}
}

func (l *load) work(once func()) {
	l.workers.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
				once()
			}
		}
	})
}

func (l *load) end() {
	close(l.stop)
	l.workers.Wait()
	l.s.transport.CloseIdleConnections()
}

func issuing(app application) message {
	return post(tokenPath, formType, app.identify(url.Values{"grant_type": {"client_credentials"}}).Encode())
}

func revoking(app application, token string) message {
	return post(revokePath, formType, app.identify(url.Values{"token": {token}}).Encode())
}

func refreshing(app application, token string) message {
	return post(tokenPath, formType, app.identify(refreshment(token)).Encode())
}

// decoded is the token answer, or nothing.
func (a answer) decoded() (got tokens) {
	_ = json.Unmarshal(a.body, &got) // what is missing shows in the fields
	return got
}

// ask sends a message and reports whether it was acknowledged; all else must be a polite refusal.
func (l *load) ask(m message) (answer, bool) {
	began := time.Now()
	a, err := l.s.send(m)
	took := time.Since(began)
	l.mu.Lock()
	l.worst = max(l.worst, took)
	l.mu.Unlock()
	if took > slowest {
		l.complain("%s took %v: status %d, %v", m.path, took, a.status, err)
	}
	switch {
	case err != nil && l.mortal.Load():
		l.lost.Add(1)
		l.pause()
	case err != nil:
		l.complain("%s: %v", m.path, err)
		l.pause()
	case a.status == http.StatusOK:
		l.acknowledged.Add(1)
		return a, true
	default:
		l.refused.Add(1)
		if err := a.unavailable(); err != nil {
			l.complain("%s: %v", m.path, err)
		}
		l.pause()
	}
	return a, false
}

// unavailable tells what is wrong with an answer that should say that the server cannot work now.
func (a answer) unavailable() error {
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err := json.Unmarshal(a.body, &body)
	if err != nil || a.status != http.StatusServiceUnavailable || body.Error != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
		return fmt.Errorf("%s is answered %d with Retry-After %q: %s", a.to.path, a.status, a.header.Get("Retry-After"), a.body)
	}
	return describes(body.Description)
}

// pause keeps a client that was refused from spinning.
func (l *load) pause() {
	select {
	case <-l.stop:
	case <-time.After(20 * time.Millisecond):
	}
}

func (l *load) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) < 10 {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	}
}

func (l *load) issue() (token string) {
	a, ok := l.ask(issuing(l.app))
	if !ok {
		return ""
	}
	token = a.decoded().Access
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued = append(l.issued, token)
	return token
}

// revoke ends a token made for it. One whose revocation was not acknowledged may be in either state.
func (l *load) revoke() {
	a, ok := l.ask(issuing(l.app))
	if !ok {
		return
	}
	token := a.decoded().Access
	if _, ok := l.ask(get(mePath, token)); !ok { // the server remembers it now
		return
	}
	if _, ok := l.ask(revoking(l.app, token)); !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, token)
}

// refresh goes on with a chain; an answer that was lost is asked for again, as clients do.
func (l *load) refresh(c *chain) {
	if c.length >= chainLength {
		l.pause()
		return
	}
	a, ok := l.ask(refreshing(l.app, c.held.Refresh))
	if !ok {
		c.unsure = true
		return
	}
	c.before, c.held, c.unsure = c.held, a.decoded(), false
	c.length++
}

// reach waits until so many more requests were acknowledged.
func (l *load) reach(t *testing.T, more int64) {
	t.Helper()
	from := l.acknowledged.Load()
	eventually(t, fmt.Sprintf("%d more requests are acknowledged", more), func() bool { return l.acknowledged.Load() >= from+more })
}

// check demands that everything acknowledged holds, then forgets it.
func (l *load) check(t *testing.T) {
	t.Helper()
	for _, problem := range l.wrong {
		t.Error(problem)
	}
	each(len(l.issued), func(i int) { l.s.checkAnswered(t, l.issued[i], http.StatusOK) })
	each(len(l.ended), func(i int) { l.s.checkAnswered(t, l.ended[i], http.StatusUnauthorized) })
	for i, c := range l.chains {
		c.check(t, l)
		if c.length > chainLength/2 {
			c.finish(t, l)
			l.chains[i] = l.newChain(t)
		}
	}
	l.issued, l.ended, l.wrong = nil, nil, nil
}

// checkAnswered is usable on any goroutine.
func (s *server) checkAnswered(t *testing.T, token string, want int) {
	if a, err := s.send(get(mePath, token)); err != nil || a.status != want {
		t.Errorf("a token is answered %d (%v), want %d: %s", a.status, err, want, a.body)
	}
}

// check demands that the chain goes on, and that the token before replays and nothing else.
func (c *chain) check(t *testing.T, l *load) {
	t.Helper()
	if !c.unsure {
		l.s.checkAlive(t, c.held.Access)
		if c.before.Refresh != "" {
			checkSame(t, l.s.refresh(t, l.app, c.before.Refresh).tokens(t), c.held)
		}
	}
	next := l.s.refresh(t, l.app, c.held.Refresh).tokens(t)
	checkSame(t, l.s.refresh(t, l.app, c.held.Refresh).tokens(t), next)
	l.s.checkAlive(t, next.Access)
	c.before, c.held, c.unsure = c.held, next, false
	c.length++
}

// finish presents the first token of a long chain: it must not revive, and ends the chain.
func (c *chain) finish(t *testing.T, l *load) {
	t.Helper()
	l.s.refresh(t, l.app, c.first.Refresh).checkRefused(t, "invalid_grant")
	l.s.checkDead(t, l.app, c.held)
}
