package usage

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// whichRedirect explains a redirect_uri that is not registered.
func (a Attempt) whichRedirect(*oauth.Error, time.Time) advice {
	if a.Place != "authorize" {
		return advice{}
	}
	presented := a.Parameters.Get("redirect_uri")
	if _, refusal := a.Application.RedirectURI(presented); refusal == nil {
		return advice{}
	}
	switch {
	case len(a.Application.RedirectURIs) == 0:
		return advice{oauth.Say("The application has no redirect URL."), oauth.Say("Register one in the settings of the application.")}
	case presented == "":
		return advice{oauth.Say("No redirect_uri came, and several are registered."), oauth.Say("Name one of them in each authorization request.")}
	}
	wrong, closest := redirectDifference(a.Application.RedirectURIs, presented)
	unfit := oauth.CheckRedirectURI(presented, a.Application.Public)
	switch {
	case closest == "" && unfit.IsZero():
		return advice{wrong, oauth.Say("Register this URL in the settings of the application, or send one that is registered.")}
	case closest == "":
		return advice{wrong, oauth.Say("Send one that is registered; this one cannot be. %s", unfit)}
	case unfit.IsZero():
		return advice{wrong, oauth.Say("Send %s, or register the other URL too, in the settings of the application.", closest)}
	}
	return advice{wrong, oauth.Say("Send %s. The other URL cannot be registered. %s", closest, unfit)}
}

// redirectDifference says how a redirect URI differs from the registered one that is
// closest, which is empty where none is close.
func redirectDifference(registered []string, presented string) (wrong oauth.Sentence, closest string) {
	least := farAway
	for _, r := range registered {
		if said, distance := difference(r, presented); distance < least {
			wrong, closest, least = said, r, distance
		}
	}
	if closest == "" {
		return oauth.Say("redirect_uri %s is not registered.", shown(presented)), ""
	}
	return wrong, closest
}

// farAway is the distance of redirect URIs that have little in common.
const farAway = 100

// difference says how presented differs from a registered redirect URI, and how far it
// is away.
func difference(registered, presented string) (oauth.Sentence, int) {
	if strings.TrimSpace(presented) == registered {
		return oauth.Say("redirect_uri has a space or a line break around %s, which is registered.", registered), 1
	}
	if decoded, err := url.QueryUnescape(presented); err == nil && decoded == registered && decoded != presented {
		return oauth.Say("redirect_uri is percent-encoded twice; decoded once more it is %s, which is registered.", registered), 1
	}
	r, err := url.Parse(registered)
	if err != nil {
		return oauth.Sentence{}, farAway
	}
	p, err := url.Parse(presented)
	if err != nil {
		return oauth.Sentence{}, farAway
	}
	differences := []func(r, p *url.URL, registered string) (oauth.Sentence, int){inScheme, inHost, inPort, inPath, inQuery, inFragment}
	var said []oauth.Sentence
	total := 0
	for _, differs := range differences {
		if s, distance := differs(r, p, registered); distance > 0 {
			said, total = append(said, s), total+distance
		}
	}
	switch {
	case len(said) == 1:
		return said[0], total
	case total == 0 && r.Port() != p.Port():
		return oauth.Say("redirect_uri has another port than %s.", registered), 4
	case total == 0:
		return oauth.Say("redirect_uri is written differently from %s, which is registered: each character counts.", registered), 1
	}
	return oauth.Say("redirect_uri %s differs in several places from %s, which is registered.", shown(presented), registered), total
}

func inScheme(r, p *url.URL, registered string) (oauth.Sentence, int) {
	switch {
	case r.Scheme == p.Scheme:
		return oauth.Sentence{}, 0
	case r.Scheme == "https" && p.Scheme == "http":
		return oauth.Say("redirect_uri begins with http instead of https: %s is registered.", registered), 2
	case r.Scheme == "http" && p.Scheme == "https":
		return oauth.Say("redirect_uri begins with https instead of http: %s is registered.", registered), 2
	}
	return oauth.Say("redirect_uri has another scheme than %s, which is registered.", registered), 40
}

func inHost(r, p *url.URL, registered string) (oauth.Sentence, int) {
	here, there := r.Hostname(), p.Hostname()
	switch {
	case here == there:
		return oauth.Sentence{}, 0
	case strings.EqualFold(here, there):
		return oauth.Say("redirect_uri differs only in the case of the host from %s, which is registered.", registered), 1
	case oauth.LoopbackHost(here) && oauth.LoopbackHost(there):
		return oauth.Say("redirect_uri has %s instead of %s, as in %s, which is registered.", there, here, registered), 2
	case "www."+here == there || here == "www."+there:
		return oauth.Say("redirect_uri differs by www. from %s, which is registered.", registered), 3
	}
	return oauth.Say("redirect_uri has the host %s instead of the one of %s, which is registered.", cut(there), registered), 50
}

func inPort(r, p *url.URL, registered string) (oauth.Sentence, int) {
	if r.Port() == p.Port() || oauth.LoopbackHost(r.Hostname()) && r.Scheme == "http" && p.Scheme == "http" && oauth.LoopbackHost(p.Hostname()) {
		return oauth.Sentence{}, 0
	}
	if portOf(r) == portOf(p) {
		return oauth.Say("redirect_uri is written differently from %s, which is registered: each character counts.", registered), 1
	}
	return oauth.Say("redirect_uri has another port than %s, which is registered.", registered), 4
}

// portOf is the port that a browser connects to.
func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

func inPath(r, p *url.URL, registered string) (oauth.Sentence, int) {
	here, there := r.EscapedPath()+r.Opaque, p.EscapedPath()+p.Opaque
	switch {
	case here == there:
		return oauth.Sentence{}, 0
	case strings.TrimSuffix(here, "/") == strings.TrimSuffix(there, "/"):
		return oauth.Say("redirect_uri differs by a trailing slash from %s, which is registered.", registered), 1
	case strings.EqualFold(here, there):
		return oauth.Say("redirect_uri differs only in the case of the path from %s, which is registered.", registered), 2
	case r.Path == p.Path && r.Path != "":
		return oauth.Say("redirect_uri differs only in its percent-encoding from %s, which is registered.", registered), 2
	}
	return oauth.Say("redirect_uri has another path than %s, which is registered.", registered), 30
}

func inQuery(r, p *url.URL, registered string) (oauth.Sentence, int) {
	switch {
	case r.RawQuery == p.RawQuery && r.ForceQuery == p.ForceQuery:
		return oauth.Sentence{}, 0
	case p.RawQuery == "":
		return oauth.Say("redirect_uri lacks the query of %s, which is registered.", registered), 6
	case r.RawQuery == "":
		return oauth.Say("redirect_uri has a query, and %s is registered without one. What an application wants back belongs into state.", registered), 6
	}
	return oauth.Say("redirect_uri has another query than %s, which is registered. What an application wants back belongs into state.", registered), 7
}

func inFragment(_, p *url.URL, registered string) (oauth.Sentence, int) {
	if p.Fragment == "" {
		return oauth.Sentence{}, 0
	}
	return oauth.Say("redirect_uri has a fragment, behind #, and %s is registered without one.", registered), 5
}

// maxShown is how much is shown of what came.
const maxShown = 200

// shown is an address without what may be about a person: the values of its query, its
// fragment, and what has the length of a secret.
func shown(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "(unreadable)"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	var names []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name != "" {
			names = append(names, name+"=...")
		}
	}
	u.RawQuery = strings.Join(names, "&")
	return cut(u.String())
}

// cut is what came, so that it can be shown: without secrets, in ASCII, and not too long.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, withoutSecrets(s))
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}
