package guide

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// reader is what a section is filled in with.
type reader struct {
	Facts
	oauth.Catalogue
	// Asked is a scope that requests can be shown with.
	Asked string
	// ClientID and RedirectURI are those of Application, or stand for those that a
	// developer will have.
	ClientID, RedirectURI string
	Application           *oauth.Application
	// Chosen is the client_id that was asked for, which links keep; empty for none.
	Chosen string
}

func (g *Guide) reader() reader {
	catalogue := g.Catalogue()
	a := reader{
		Facts: g.Facts, Catalogue: catalogue, Asked: string(catalogue.Default),
		ClientID: "YOUR_CLIENT_ID", RedirectURI: "https://your-application.example/callback",
	}
	if a.Asked == "" && len(a.Permissions) > 0 {
		a.Asked = a.Permissions[0].Name
	}
	return a
}

// fillIn takes the values of an application.
func (a *reader) fillIn(chosen oauth.Application) {
	a.Application, a.ClientID = &chosen, chosen.ClientID
	if len(chosen.RedirectURIs) > 0 {
		a.RedirectURI = chosen.RedirectURIs[0]
	}
	a.Asked = cmp.Or(string(a.Usual(chosen.Scope.Within(a.All()))), a.Asked)
}

// Has reports whether a scope is configured: what needs another one is not written about.
func (a reader) Has(name string) bool {
	_, configured := a.Find(name)
	return configured
}

// AsksMe reports whether a token with what is asked for can ask the API's first resource.
func (a reader) AsksMe() bool { return oauth.Scope(a.Asked).Covers(oauth.ProfileScope) }

// Alone is what can be asked for without a person, empty where nothing can.
func (a reader) Alone() oauth.Scope {
	alone := a.ForApplicationsAlone()
	if a.Application != nil {
		alone = alone.Within(a.Application.Scope)
	}
	return a.Usual(alone)
}

// First is the first of the scopes that are asked for.
func (a reader) First() string {
	first, _, _ := strings.Cut(a.Asked, " ")
	return first
}

// Secure tells that an API asks over TLS.
func (a reader) Secure() bool { return strings.HasPrefix(a.Check, "https:") }

// Public tells that the application has no secret.
func (a reader) Public() bool { return a.Application != nil && a.Application.Public }

// Challenged tells that the application must use PKCE.
func (a reader) Challenged() bool { return a.RequirePKCE || a.Public() }

// Proof is the argument of curl with which the application tells who it is.
func (a reader) Proof() string {
	if a.Public() {
		return "-d client_id=" + a.ClientID
	}
	return `-u "` + a.ClientID + `:$CLIENT_SECRET"`
}

// Request is an authorization request; Return is where it leads.
func (a reader) Request() string {
	all := []oauth.Parameter{
		{Name: "response_type", Value: "code"}, {Name: "client_id", Value: a.ClientID}, {Name: "redirect_uri", Value: a.RedirectURI},
		{Name: "scope", Value: a.Asked}, {Name: "state", Value: "A_RANDOM_VALUE"},
	}
	if a.Challenged() {
		all = append(all, oauth.Parameter{Name: "code_challenge", Value: "THE_CHALLENGE"}, oauth.Parameter{Name: "code_challenge_method", Value: "S256"})
	}
	return oauth.AddToRedirectURI(a.Authorize, all...)
}

// Return is where the browser comes back to with a code.
func (a reader) Return() string {
	return oauth.AddToRedirectURI(a.RedirectURI, oauth.Parameter{Name: "code", Value: "CODE"},
		oauth.Parameter{Name: "state", Value: "A_RANDOM_VALUE"}, oauth.Parameter{Name: "iss", Value: a.Issuer})
}

// Lifetime is the life of an access token, and Replay the time in which a public
// application may repeat a refresh, in seconds.
func (a reader) Lifetime() string { return seconds(a.AccessLifetime) }

// Replay is written like Lifetime.
func (a reader) Replay() string { return seconds(a.ReplayWindow) }

// Idle is the life of a refresh token that nobody uses, in days, to the hundredth of one.
func (a reader) Idle() string {
	return strconv.FormatFloat(math.Round(a.RefreshIdle.Hours()/24*100)/100, 'f', -1, 64)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// shell quotes an argument for a shell, where it must be.
func shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~:/=@,+%", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
