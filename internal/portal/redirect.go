package portal

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/signin"
)

// checkedURI is what the script of the forms shows of a redirect URL while it is typed.
type checkedURI struct {
	URI string `json:"uri"`
	// Problem is empty where the URL may be registered; then Good says so.
	Problem string   `json:"problem,omitempty"`
	Good    string   `json:"good,omitempty"`
	Advice  []string `json:"advice"`
}

func (p *Portal) checkRedirectURI(w http.ResponseWriter, r *http.Request, _ *signin.Person) error {
	language := p.Pages.LanguageOf(r)
	uri := strings.TrimSpace(r.FormValue("uri"))
	answer := checkedURI{URI: uri, Advice: []string{}}
	if wrong := oauth.CheckRedirectURI(uri, r.FormValue("public") == "true"); !wrong.IsZero() {
		answer.Problem = language.Plain(wrong)
	} else {
		answer.Good = language.Plain(oauth.Say("This can be registered."))
		for _, advice := range oauth.AdviseRedirectURI(uri) {
			answer.Advice = append(answer.Advice, language.Plain(advice))
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(answer)
}
