package demo

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// view is what the page is made of.
type view struct {
	Config     Config
	Status     string
	Kind       string // the look of the status: off, good, bad
	Note       string
	Connected  bool // there is a token, dead or alive
	Person     bool // a person approved
	CanRefresh bool
	Scope      string
	Expires    string
	Answer     string
	Exchanges  []exchange
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	_, c, _ := a.sessions.find(r)
	a.render(w, http.StatusOK, a.viewOf(c))
}

// refuse shows an answer that was ignored. The session is left as it was, because anyone can send a
// browser here.
func (a *app) refuse(w http.ResponseWriter, status, note string) {
	a.render(w, http.StatusBadRequest, view{Config: a.config, Status: status, Kind: "bad", Note: note})
}

func (a *app) viewOf(c connection) view {
	v := view{
		Config: a.config, Note: c.note, Connected: c.token.access != "",
		Person: c.token.grantType == "authorization_code", CanRefresh: c.token.refresh != "",
		Scope: c.token.scope, Answer: c.answer, Exchanges: c.exchanges,
	}
	switch {
	case c.revoked:
		v.Status, v.Kind = "Revoked", "bad"
	case c.problem != "":
		v.Status, v.Kind = c.problem, "bad"
	case v.Connected && c.name == "":
		v.Status, v.Kind = "Connected as (name unknown)", "good"
	case v.Connected:
		v.Status, v.Kind = "Connected as "+c.name, "good"
	default:
		v.Status, v.Kind = "Not connected", "off"
	}
	switch left := time.Until(c.token.expires); {
	case c.revoked:
		v.Expires = "revoked"
	case left > 0:
		v.Expires = fmt.Sprintf("expires in %d seconds", int(left.Seconds()))
	default:
		v.Expires = "expired"
	}
	return v
}

// Headline returns the status without its details, for the title.
func (v view) Headline() string {
	before, _, _ := strings.Cut(v.Status, ":")
	return before
}

func (a *app) render(w http.ResponseWriter, status int, v view) {
	var page bytes.Buffer
	if err := a.page.Execute(&page, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page.WriteTo(w)
}
