package demo

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	cookieName  = "example_session"
	maxSessions = 1000
)

// pending is an authorization request that this browser has been sent away with.
type pending struct {
	state, verifier string
	sent            exchange
}

// token is what the provider's token endpoint answered (RFC 6749 §5.1).
type token struct {
	access, refresh, scope, grantType string
	expires                           time.Time
}

// connection is what the page shows: the token and what the last action did.
type connection struct {
	token     token
	name      string
	revoked   bool
	problem   string // a status that stands until the next action
	note      string
	answer    string
	exchanges []exchange
}

type session struct {
	pending    pending
	connection connection
	used       time.Time
}

// sessions is the memory of this application. No lock is held while the provider is asked: an action
// works on a copy of the connection and saves it.
type sessions struct {
	secure bool
	mu     sync.Mutex
	byID   map[string]*session
}

func newSessions(secure bool) *sessions {
	return &sessions{secure: secure, byID: make(map[string]*session)}
}

// random returns 32 random bytes as 43 characters of base64url, which is also the form that
// RFC 7636 §4.1 asks of a code verifier.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// find returns this browser's connection; ok is false when it has no session.
func (s *sessions) find(r *http.Request) (id string, c connection, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", connection{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[cookie.Value]
	if found == nil {
		return "", connection{}, false
	}
	found.used = time.Now()
	return cookie.Value, found.connection, true
}

// open returns this browser's session, a new one when it has none.
func (s *sessions) open(w http.ResponseWriter, r *http.Request) (id string, c connection) {
	if id, c, ok := s.find(r); ok {
		return id, c
	}
	id = random()
	s.mu.Lock()
	if len(s.byID) >= maxSessions {
		s.dropOldest()
	}
	s.byID[id] = &session{used: time.Now()}
	s.mu.Unlock()
	s.setCookie(w, id, 0)
	return id, connection{}
}

func (s *sessions) dropOldest() {
	var oldest string
	for id, candidate := range s.byID {
		if oldest == "" || candidate.used.Before(s.byID[oldest].used) {
			oldest = id
		}
	}
	delete(s.byID, oldest)
}

// save keeps c unless the session was forgotten meanwhile.
func (s *sessions) save(id string, c connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[id]; found != nil {
		found.connection = c
	}
}

func (s *sessions) begin(id string, p pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[id]; found != nil {
		found.pending = p
	}
}

// redeem returns the pending request that state belongs to, once; a wrong state changes nothing.
func (s *sessions) redeem(id, state string) (p pending, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[id]
	if found == nil || found.pending.state == "" ||
		subtle.ConstantTimeCompare([]byte(found.pending.state), []byte(state)) != 1 {
		return pending{}, false
	}
	p, found.pending = found.pending, pending{}
	return p, true
}

func (s *sessions) forget(w http.ResponseWriter, id string) {
	s.mu.Lock()
	delete(s.byID, id)
	s.mu.Unlock()
	s.setCookie(w, "", -1)
}

func (s *sessions) setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}
