package portal

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// Protocol are the endpoints that somebody who tries an application calls by hand.
type Protocol struct {
	// Trial answers token and revocation requests of a trial; Me is the API.
	Trial func(grant.Trial) http.Handler
	Me    http.Handler
}

// trialLife is how long a trial may wait for its answer.
const trialLife = 15 * time.Minute

// trial is one person's attempt to run the flow of an application by hand. It is kept
// nowhere: the state carries its id with a seal, and the verifier follows from both.
type trial struct {
	application oauth.Application
	person      *signin.Person
	id          oauth.ID
	key         oauth.Key
}

func (t trial) seal(label string) [sha256.Size]byte {
	return t.key.Seal(label, string(t.id[:]), string(t.person.Session.ID[:]), string(t.person.Account.ID[:]), string(t.application.ID[:]))
}

func (t trial) state() string {
	seal := t.seal("trial.state")
	return base64.RawURLEncoding.EncodeToString(append(t.id[:], seal[:]...))
}

// verifier is the code_verifier of RFC 7636, 43 characters.
func (t trial) verifier() string {
	seal := t.seal("trial.verifier")
	return base64.RawURLEncoding.EncodeToString(seal[:])
}

func (t trial) challenge() string {
	sum := sha256.Sum256([]byte(t.verifier()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// trialOf finds the trial that a state belongs to: this person's, in this session, of this
// application, and not too old.
func (p *Portal) trialOf(a oauth.Application, person *signin.Person, state string) (trial, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil || len(raw) != 16+sha256.Size {
		return trial{}, false
	}
	t := trial{application: a, person: person, id: oauth.ID(raw[:16]), key: p.Key}
	return t, oauth.SameSeal(raw[16:], t.seal("trial.state")) && p.Now().Sub(t.id.Time()) < trialLife
}

func (p *Portal) trialCallback(a oauth.Application) string {
	return oauth.TrialCallback(p.Issuer, a.ClientID)
}

// showTry begins: it shows the authorization request, and a link that sends it.
func (p *Portal) showTry(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	t := trial{application: a, person: person, key: p.Key}
	var err error
	if t.id, err = p.Grants.NewID(); err != nil {
		return err
	}
	allowed := p.Grants.Allowed(a)
	scope := oauth.Scope(strings.Join(r.URL.Query()["scope"], " ")).Within(allowed)
	if scope == "" {
		scope = p.Grants.Catalogue().Usual(allowed)
	}
	parameters := []oauth.Parameter{
		{Name: "response_type", Value: "code"}, {Name: "client_id", Value: a.ClientID}, {Name: "redirect_uri", Value: p.trialCallback(a)},
		{Name: "scope", Value: string(scope)}, {Name: "state", Value: t.state()},
		{Name: "code_challenge", Value: t.challenge()}, {Name: "code_challenge_method", Value: "S256"}, {Name: "prompt", Value: "consent"},
	}
	content := page.Trial{
		Frame: frame(r, person, "applications", oauth.Say("Try %s", a.Name)), Tabs: page.TabsOf(a, "try"), Step: page.StepAsk,
		Suspended: a.Suspended(), Authorize: oauth.AddToRedirectURI(p.Authorize, parameters...),
		Exchange: page.HTTPExchange{Request: getText(p.Authorize, parameters)},
	}
	for _, name := range allowed.Tokens() {
		if permission, ok := p.Grants.Catalogue().Find(name); ok {
			content.Choices = append(content.Choices, page.Choice{Permission: permission, Chosen: scope.Has(name)})
		}
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// showTryCallback is where the authorization answer arrives.
func (p *Portal) showTryCallback(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	query := r.URL.Query()
	content := page.Trial{Frame: frame(r, person, "applications", oauth.Say("Try %s", a.Name)), Tabs: page.TabsOf(a, "try"), Step: page.StepAnswer, Public: a.Public}
	t, ok := p.trialOf(a, person, query.Get("state"))
	if !ok {
		content.Problem = oauth.Say("This answer belongs to no attempt of yours: its state is another, or too old. Code that finds this must stop here, as this page does.")
		p.Pages.Write(w, r, http.StatusBadRequest, content)
		return nil
	}
	var received []oauth.Parameter
	for _, name := range []string{"code", "error", "error_description", "state", "iss"} {
		received = append(received, oauth.Parameter{Name: name, Value: query.Get(name)})
	}
	content.Exchange.Request = getText(p.trialCallback(a), received)
	if code := query.Get("code"); code != "" {
		content.State, content.Code = t.state(), code
		content.Next = p.requestOf(a, p.Token, p.redemption(t, code))
	} else {
		content.Problem = oauth.Say("The answer is an error. An application shows the person what happened, and offers to try again.")
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// tryStep sends one of the requests that follow, and shows what is answered.
func (p *Portal) tryStep(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	if a.Suspended() {
		page.Redirect(w, applicationPath(a.ClientID)+"/try")
		return nil
	}
	step := page.TrialStep(r.PathValue("step"))
	access, refresh := r.PostFormValue("access_token"), r.PostFormValue("refresh_token")
	target, body := p.Token, []oauth.Parameter(nil)
	switch step {
	case page.StepExchange:
		t, ok := p.trialOf(a, person, r.PostFormValue("state"))
		if !ok {
			page.Redirect(w, applicationPath(a.ClientID)+"/try")
			return nil
		}
		body = p.redemption(t, r.PostFormValue("code"))
	case page.StepCall:
	case page.StepRefresh:
		body = []oauth.Parameter{{Name: "grant_type", Value: "refresh_token"}, {Name: "refresh_token", Value: refresh}}
	case page.StepRevoke:
		target, body = p.Revoke, []oauth.Parameter{{Name: "token", Value: access}}
	default:
		return application.ErrNotFound
	}
	var done exchange
	var err error
	if step == page.StepCall {
		done, err = p.callAPI(r, access)
	} else {
		done, err = p.callAs(r, a, person, target, body)
	}
	if err != nil {
		return err
	}
	content := page.Trial{
		Frame: frame(r, person, "applications", oauth.Say("Try %s", a.Name)), Tabs: page.TabsOf(a, "try"), Step: step,
		AccessToken: access, RefreshToken: refresh, Exchange: page.HTTPExchange{Request: done.request, Answer: done.answer.text()},
	}
	if given := done.answer.tokens(); given.Access != "" {
		content.AccessToken, content.RefreshToken = given.Access, given.Refresh
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

// redemption is the token request of a trial, without credentials.
func (p *Portal) redemption(t trial, code string) []oauth.Parameter {
	return []oauth.Parameter{
		{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: code},
		{Name: "redirect_uri", Value: p.trialCallback(t.application)}, {Name: "code_verifier", Value: t.verifier()},
	}
}
