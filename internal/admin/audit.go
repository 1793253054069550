package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
)

func (a *Admin) showAudit(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	form, filter, err := a.auditFilter(r)
	if err != nil {
		return err
	}
	content := page.AdminAudit{
		Frame: frame(r, person, "audit", oauth.Say("Audit log")), Form: form, Export: "/admin/audit.jsonl" + narrowed(r.URL.Query()),
	}
	kinds, err := a.Store.AuditKinds(r.Context())
	if err != nil {
		return err
	}
	content.Groups = groups(kinds)
	if form.Problems != nil {
		a.Pages.Write(w, r, http.StatusUnprocessableEntity, content)
		return nil
	}
	var at store.AuditCursor
	at.Before, _ = oauth.ParseID(r.URL.Query().Get("before"))
	at.After, _ = oauth.ParseID(r.URL.Query().Get("after"))
	found, err := a.Store.Audit(r.Context(), filter, at, rows)
	if err == nil && !at.After.IsZero() && found.Newer == nil {
		// The newest lines are the first page, and fill it.
		found, err = a.Store.Audit(r.Context(), filter, store.AuditCursor{}, rows)
	}
	if err != nil {
		return err
	}
	content.Events, content.Older, content.Newer = found.Events, cursorLink(r, found.Older), cursorLink(r, found.Newer)
	if !found.Reached.IsZero() {
		content.Reached = found.Reached.Time()
	}
	a.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

func groups(kinds []string) []page.AuditGroup {
	var all []page.AuditGroup
	for _, kind := range kinds {
		name := oauth.AuditKind(kind).Group()
		if len(all) == 0 || all[len(all)-1].Name != name {
			all = append(all, page.AuditGroup{Name: name})
		}
		last := &all[len(all)-1]
		last.Kinds = append(last.Kinds, kind)
	}
	return all
}

// The parameters that narrow the log.
var auditParameters = [...]string{"kind", "actor", "account", "application", "address", "from", "until"}

// narrowed is the query that asks for the same lines.
func narrowed(q url.Values) string {
	kept := url.Values{}
	for _, name := range auditParameters {
		if v := strings.TrimSpace(q.Get(name)); v != "" {
			kept.Set(name, v)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + kept.Encode()
}

func cursorLink(r *http.Request, at *store.AuditCursor) string {
	if at == nil {
		return ""
	}
	name, id := "before", at.Before
	if !at.After.IsZero() {
		name, id = "after", at.After
	}
	sep := "?"
	kept := narrowed(r.URL.Query())
	if kept != "" {
		sep = "&"
	}
	return r.URL.Path + kept + sep + name + "=" + id.String()
}

// nobodies are the actors that are no account.
var nobodies = [...]string{"command line", "server", "somebody"}

// auditFilter reads what the log is narrowed to. What is wrong is in the form's problems.
func (a *Admin) auditFilter(r *http.Request) (form page.AuditForm, f store.AuditFilter, err error) {
	q := r.URL.Query()
	value := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	form = page.AuditForm{
		Kind: value("kind"), Actor: value("actor"), Account: value("account"), Application: value("application"),
		Address: value("address"), From: value("from"), Until: value("until"),
	}
	wrong := func(field string, s oauth.Sentence) {
		if form.Problems == nil {
			form.Problems = map[string]oauth.Sentence{}
		}
		form.Problems[field] = s
	}
	named := func(field, reference string, find func(context.Context, string) (oauth.ID, error), missing oauth.Sentence) oauth.ID {
		id, failed := find(r.Context(), reference)
		if errors.Is(failed, store.ErrNotFound) {
			wrong(field, missing)
		} else if failed != nil {
			err = failed
		}
		return id
	}
	f.Kind = form.Kind
	if slices.Contains(nobodies[:], form.Actor) {
		f.ActorName = form.Actor
	} else {
		f.ActorID = named("actor", form.Actor, a.accountID, oauth.Say("There is no such account."))
	}
	f.AccountID = named("account", form.Account, a.accountID, oauth.Say("There is no such account."))
	f.ApplicationID = named("application", form.Application, a.applicationID, oauth.Say("There is no such application."))
	if form.Address != "" {
		address, err := netip.ParseAddr(form.Address)
		if err != nil {
			wrong("address", oauth.Say("Enter an IP address, such as 203.0.113.7."))
		}
		f.Address = address.Unmap().String()
	}
	day := func(field, s string, add int) (t time.Time) {
		if s != "" {
			var err error
			if t, err = time.Parse(time.DateOnly, s); err != nil {
				wrong(field, oauth.Say("Enter a date, such as 2026-01-31."))
			}
			t = t.AddDate(0, 0, add)
		}
		return t
	}
	f.From, f.Until = day("from", form.From, 0), day("until", form.Until, 1)
	return form, f, err
}

// accountID finds whom a filter means. An id counts also when its account is gone.
func (a *Admin) accountID(ctx context.Context, reference string) (oauth.ID, error) {
	if id, ok := oauth.ParseID(reference); ok || reference == "" {
		return id, nil
	}
	found, err := a.Accounts.Find(ctx, reference)
	return found.ID, err
}

func (a *Admin) applicationID(ctx context.Context, reference string) (oauth.ID, error) {
	if id, ok := oauth.ParseID(reference); ok || reference == "" {
		return id, nil
	}
	found, err := a.Applications.Find(ctx, reference)
	return found.ID, err
}

// auditLine is a line of the export.
type auditLine struct {
	ID            string    `json:"id"`
	At            time.Time `json:"at"`
	Kind          string    `json:"kind"`
	Actor         actorLine `json:"actor"`
	AccountID     string    `json:"account_id,omitempty"`
	ApplicationID string    `json:"application_id,omitempty"`
	Subject       string    `json:"subject,omitempty"`
	Detail        string    `json:"detail,omitempty"`
}

type actorLine struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
}

func lineOf(e oauth.AuditEvent) auditLine {
	id := func(id oauth.ID) string {
		if id.IsZero() {
			return ""
		}
		return id.String()
	}
	return auditLine{
		ID: e.ID.String(), At: e.At(), Kind: string(e.Kind), Actor: actorLine{id(e.Actor.AccountID), e.Actor.Name, e.Actor.Address},
		AccountID: id(e.Subject.AccountID), ApplicationID: id(e.Subject.ApplicationID), Subject: e.Subject.Name, Detail: e.Detail,
	}
}

// exported is how many lines of an export are read at once, and how long the browser may
// take to receive them.
const (
	exported   = 1000
	exportTime = 30 * time.Second
)

// exportAudit streams the log as JSON lines, the newest first. That it was taken is a
// line of the log, which comes first in it where the filter lets it.
func (a *Admin) exportAudit(w http.ResponseWriter, r *http.Request, _ *signin.Person) error {
	form, filter, err := a.auditFilter(r)
	if err != nil {
		return err
	}
	if form.Problems != nil {
		page.Redirect(w, "/admin/audit"+narrowed(r.URL.Query()))
		return nil
	}
	if r.Method == http.MethodHead {
		return nil
	}
	if err := a.Store.Audited(r.Context(), oauth.AuditExported, oauth.AuditSubject{}, strings.TrimPrefix(narrowed(r.URL.Query()), "?")); err != nil {
		return err
	}
	// The log may be long: reading it is not bound by the time of a request. A browser that
	// is gone, or too slow for a batch, is noticed when the next is written.
	ctx := context.WithoutCancel(r.Context())
	connection := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	w.Header().Set("Cache-Control", "no-store")
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for at := (&store.AuditCursor{}); at != nil; {
		p, err := a.Store.Audit(ctx, filter, *at, exported)
		if err != nil {
			a.Log.Error("the export of the audit log broke off", "cause", err)
			// What was sent looks whole unless the connection breaks.
			panic(http.ErrAbortHandler)
		}
		if err := connection.SetWriteDeadline(time.Now().Add(exportTime)); err != nil {
			a.Log.Warn("an export has no time of its own", "cause", err)
		}
		for _, e := range p.Events {
			if encoder.Encode(lineOf(e)) != nil {
				return nil // the browser is gone
			}
		}
		if out.Flush() != nil {
			return nil
		}
		at = p.Older
	}
	return nil
}
