package store

import (
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func insertAudit(t *testing.T, s *Store, events ...oauth.AuditEvent) {
	t.Helper()
	for some := range slices.Chunk(events, 500) {
		var rows []string
		var args []any
		for _, e := range some {
			first := len(args)
			args = append(args, e.ID[:], string(e.Kind), blob(e.Actor.AccountID[:]), e.Actor.Name, e.Actor.Address,
				blob(e.Subject.AccountID[:]), blob(e.Subject.ApplicationID[:]), e.Subject.Name, e.Detail)
			var row []string
			for i := first; i < len(args); i++ {
				row = append(row, fmt.Sprintf("$%d", i+1))
			}
			rows = append(rows, "("+strings.Join(row, ", ")+")")
		}
		must(t, s.write(t.Context(), func(tx *transaction) error {
			_, err := tx.exec(`insert into audit (`+auditColumns+`) values `+strings.Join(rows, ", "), args...)
			return err
		}))
	}
}

// walk reads the log to its end in pages, and back, and demands the same lines.
func walk(t *testing.T, s *Store, f AuditFilter, limit int) []oauth.AuditEvent {
	t.Helper()
	var all []oauth.AuditEvent
	at := &AuditCursor{}
	var last AuditPage
	for at != nil {
		var err error
		last, err = s.Audit(t.Context(), f, *at, limit)
		must(t, err)
		all = append(all, last.Events...)
		at = last.Older
	}
	back := last.Events
	for at = last.Newer; at != nil; {
		p, err := s.Audit(t.Context(), f, *at, limit)
		must(t, err)
		back = append(slices.Clone(p.Events), back...)
		at = p.Newer
	}
	if !slices.Equal(all, back) {
		t.Errorf("%+v: %d lines on the way there, %d on the way back", f, len(all), len(back))
	}
	return all
}

func auditIsNarrowed(t *testing.T, s *Store) {
	began := time.Now().Add(-1000 * time.Hour).Truncate(time.Hour)
	people := []oauth.ID{{}, newID(t, began), newID(t, began), newID(t, began)}
	kinds := []oauth.AuditKind{"account.a", "account.b", "application.a", "session.a"}
	addresses := []string{"", "192.0.2.1", "2001:db8::1"}
	draw := mathrand.New(mathrand.NewPCG(1, 2))
	pick := func(n int) int { return draw.IntN(n) }
	var all []oauth.AuditEvent
	for i := range 400 {
		e := oauth.AuditEvent{ID: newID(t, began.Add(time.Duration(i)*time.Hour)), Kind: kinds[pick(4)], Detail: fmt.Sprint(i)}
		e.Actor = oauth.Actor{AccountID: people[pick(4)], Name: []string{"server", "command line"}[pick(2)], Address: addresses[pick(3)]}
		e.Subject = oauth.AuditSubject{AccountID: people[pick(4)], ApplicationID: people[pick(4)], Name: "it"}
		all = append(all, e)
	}
	insertAudit(t, s, all...)
	slices.Reverse(all)
	for range 60 {
		f := AuditFilter{}
		if pick(2) == 0 {
			f.Kind = []string{"account", "application.a", "session", "nothing"}[pick(4)]
		}
		if pick(3) == 0 {
			f.ActorID = people[1+pick(3)]
		} else if pick(3) == 0 {
			f.ActorName = "server"
		}
		if pick(3) == 0 {
			f.AccountID = people[1+pick(3)]
		}
		if pick(3) == 0 {
			f.ApplicationID = people[1+pick(3)]
		}
		if pick(3) == 0 {
			f.Address = addresses[1+pick(2)]
		}
		if pick(3) == 0 {
			f.From = began.Add(time.Duration(pick(400)) * time.Hour)
		}
		if pick(3) == 0 {
			f.Until = began.Add(time.Duration(pick(400)) * time.Hour)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e oauth.AuditEvent) bool { return !meets(f, e) })
		if got := walk(t, s, f, 5+pick(60)); !slices.Equal(got, want) {
			t.Fatalf("%+v: %d lines, want %d", f, len(got), len(want))
		}
	}
	first, last := oauth.ID{15: 1}, oauth.ID(upTo(oauth.ID{}))
	for _, at := range []AuditCursor{{Before: first}, {After: last}} {
		if p, err := s.Audit(t.Context(), AuditFilter{}, at, 5); err != nil || len(p.Events) != 0 {
			t.Errorf("beyond all lines, at %v, are %d: %v", at, len(p.Events), err)
		}
	}
	found, err := s.AuditKinds(t.Context())
	must(t, err)
	if want := []string{"account.a", "account.b", "application.a", "session.a"}; !slices.Equal(found, want) {
		t.Errorf("the kinds are %v, want %v", found, want)
	}
}

func meets(f AuditFilter, e oauth.AuditEvent) bool {
	return (f.Kind == "" || f.Kind == string(e.Kind) || f.Kind == e.Kind.Group()) &&
		(f.ActorID.IsZero() || f.ActorID == e.Actor.AccountID) &&
		(f.ActorName == "" || e.Actor.AccountID.IsZero() && e.Actor.Name == f.ActorName) &&
		(f.AccountID.IsZero() || f.AccountID == e.Subject.AccountID) &&
		(f.ApplicationID.IsZero() || f.ApplicationID == e.Subject.ApplicationID) &&
		(f.Address == "" || f.Address == e.Actor.Address) &&
		(f.From.IsZero() || !e.At().Before(f.From)) && (f.Until.IsZero() || e.At().Before(f.Until))
}

func auditGoesByWindows(t *testing.T, s *Store) {
	began := time.Now().Add(-time.Hour)
	person := newID(t, began)
	var all []oauth.AuditEvent
	for i := range 2*auditWindow + 10 {
		e := oauth.AuditEvent{ID: newID(t, began.Add(time.Duration(i)*time.Millisecond)), Kind: "often.it", Subject: oauth.AuditSubject{AccountID: person}}
		if i == 3 {
			e.Kind = "seldom.it"
		}
		all = append(all, e)
	}
	insertAudit(t, s, all...)
	f := AuditFilter{Kind: "seldom.it", AccountID: person}
	first, err := s.Audit(t.Context(), f, AuditCursor{}, 50)
	must(t, err)
	if len(first.Events) != 0 || first.Older == nil || first.Reached != all[auditWindow+10].ID {
		t.Errorf("the first page has %d lines and was searched as far as %v, want that of the window's end", len(first.Events), first.Reached)
	}
	if got := walk(t, s, f, 50); len(got) != 1 || got[0] != all[3] {
		t.Errorf("%d lines are found, want the one", len(got))
	}
}
