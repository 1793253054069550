package e2e_test

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey/latchkey/bearer"
	"github.com/latchkey/latchkey/e2e/postgres"
)

func TestWhileTheDatabaseIsAwayEverybodyIsToldInTime(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		down func(*postgres.Server, *relay)
		up   func(*testing.T, *postgres.Server, *relay)
	}{
		{"PostgreSQL is down", shutDown, startUp},
		{"the network swallows everything", freeze, thaw},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			pg, between, s := settleApart(t)
			app := s.register(t, registration{})
			token := s.grant(t, app).Access
			row.down(pg, between)
			eventually(t, "nothing is answered from memory", func() bool { return s.me(t, token).status != http.StatusOK })

			var log output
			guard, err := bearer.New(s.url+checkPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			guard.ErrorLog = slog.New(slog.NewJSONHandler(&log, nil))
			api := guard.Require("profile")(http.NotFoundHandler())
			const requests = 30
			var all sync.WaitGroup
			for _, m := range []message{
				get(mePath, token), get(checkPath+"?scope=profile", token), issuing(app), revoking(app, token), get("/readyz", ""),
			} {
				all.Go(func() { s.answersHalfClosed(t, m, http.StatusServiceUnavailable) })
			}
			// It waits too, for whose developers are to be told.
			all.Go(func() {
				s.answersHalfClosed(t, post(tokenPath, "text/plain", issuing(app).body), http.StatusBadRequest)
			})
			again := time.NewTicker(100 * time.Millisecond) // so that some come while others wait
			defer again.Stop()
			for range requests {
				all.Go(func() {
					w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/things", nil)
					r.Header.Set("Authorization", "Bearer "+token)
					if api.ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable {
						t.Errorf("the guard answers %d", w.Code)
					}
				})
				all.Go(func() { s.refuses(t, get(mePath, token)) })
				all.Go(func() { s.refuses(t, issuing(app)) })
				all.Go(func() { s.refuses(t, get("/readyz", "")) })
				<-again.C
			}
			all.Wait()
			// A guard waits for 5 s. On a busy machine one or another may be late.
			if told := strings.Count(string(log.Bytes()), "the server cannot reach its database"); told < requests/2 {
				t.Errorf("the guard was told %d times of %d why it gets no answer:\n%s", told, requests, log.Bytes())
			}
			row.up(t, pg, between)
			s.awaitReady(t, http.StatusOK)
		})
	}
}

// refuses is usable on any goroutine.
func (s *server) refuses(t *testing.T, m message) {
	a, err := s.send(m)
	if err != nil || a.status != http.StatusServiceUnavailable {
		t.Errorf("%s is answered %d (%v)", m.path, a.status, err)
	}
}

// answersHalfClosed demands the status of the answer to a client that says no more once it has
// asked. It is usable on any goroutine.
func (s *server) answersHalfClosed(t *testing.T, m message, status int) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	req, err := http.NewRequest(m.method, s.url+m.path, strings.NewReader(m.body))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header = m.header
	if err := errors.Join(conn.SetDeadline(time.Now().Add(patience)), req.Write(conn), conn.(*net.TCPConn).CloseWrite()); err != nil {
		t.Error(err)
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Errorf("%s of a client that says no more: %v", m.path, err)
		return
	}
	if res.StatusCode != status {
		t.Errorf("%s of a client that says no more is answered %d, want %d", m.path, res.StatusCode, status)
	}
	_ = res.Body.Close()
}
