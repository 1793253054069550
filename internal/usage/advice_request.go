package usage

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// whichResponse explains a response_type that is not offered.
func (a Attempt) whichResponse(*oauth.Error, time.Time) advice {
	if a.Place != "authorize" {
		return advice{}
	}
	switch kind := a.Parameters.Get("response_type"); {
	case kind == "code":
		return advice{}
	case strings.Contains(kind, "token"):
		return advice{oauth.Say("The implicit and the hybrid flow are not offered: a token in an address is easily stolen."), oauth.Say("Send response_type=code, with PKCE if the application has no server, and exchange the code for tokens.")}
	}
	return advice{mend: oauth.Say("Send response_type=code.")}
}

// whichChallenge explains what is wrong about PKCE in an authorization request.
func (a Attempt) whichChallenge(refusal *oauth.Error, _ time.Time) advice {
	if a.Place != "authorize" || refusal.Code != oauth.InvalidRequest {
		return advice{}
	}
	challenge, method := a.Parameters.Get("code_challenge"), a.Parameters.Get("code_challenge_method")
	if _, wrong := oauth.ParseChallenge(challenge, method, refusal == oauth.ErrNoChallenge); wrong == nil {
		return advice{}
	}
	make := oauth.Say("Make a random code_verifier for each request, send the base64url of its SHA-256 as code_challenge with code_challenge_method=S256, and the code_verifier with the code.")
	switch {
	case challenge == "" && method != "":
		return advice{oauth.Say("A code_challenge_method came without a code_challenge."), make}
	case challenge == "":
		return advice{oauth.Say("No code_challenge came, but PKCE is required of this application."), make}
	case method == "":
		return advice{oauth.Say("No code_challenge_method came, which means plain."), oauth.Say("Send code_challenge_method=S256, and as code_challenge the SHA-256 of the code_verifier.")}
	case strings.EqualFold(method, "plain"):
		return advice{oauth.Say("The code_challenge_method is plain, which protects nothing and is not offered."), oauth.Say("Send code_challenge_method=S256, and as code_challenge the SHA-256 of the code_verifier.")}
	case method != "S256":
		return advice{oauth.Say("The code_challenge_method is not S256, written like this."), oauth.Say("Send code_challenge_method=S256.")}
	case strings.HasSuffix(challenge, "="):
		return advice{oauth.Say("The code_challenge ends with =, the padding of base64."), oauth.Say("Leave the padding out: base64url without it has 43 characters.")}
	case strings.ContainsAny(challenge, "+/ "):
		return advice{oauth.Say("The code_challenge is base64, with + and /, instead of base64url."), oauth.Say("Replace + by - and / by _, and leave the padding out.")}
	case len(challenge) == 64 && strings.Trim(strings.ToLower(challenge), "0123456789abcdef") == "":
		return advice{oauth.Say("The code_challenge is the SHA-256 in hexadecimal."), oauth.Say("Encode the 32 bytes of the SHA-256 as base64url, not as hexadecimal.")}
	}
	return advice{counted(len(challenge), oauth.Say("The code_challenge has one character; the base64url of a SHA-256 has 43."),
		oauth.Say("The code_challenge has %s characters; the base64url of a SHA-256 has 43.", strconv.Itoa(len(challenge)))), make}
}

// whichScope explains a scope that cannot be asked for.
func (a Attempt) whichScope(refusal *oauth.Error, _ time.Time) advice {
	if refusal.Code != oauth.InvalidScope || a.Place != "authorize" && a.Place != "token" {
		return advice{}
	}
	asked := a.Parameters.Get("scope")
	scope, malformed := oauth.ParseScope(asked)
	unknown := scope.Without(a.Catalogue.All())
	forbidden := scope.Without(a.Application.Scope)
	switch {
	case refusal == oauth.ErrNothingLeft:
		return advice{oauth.Say("Nothing that was granted is allowed to the application any more: %s.", orNothing(a.Authorization.Scope)), a.howToAllow(a.Authorization.Scope)}
	case a.Authorization.PreviousRefreshHash.Matches(a.Presented.Hash(oauth.KindRefreshToken)):
		return advice{oauth.Say("The refresh repeats one whose answer had another scope: %s.", string(a.Authorization.Access.Scope)), oauth.Say("Repeat it with that scope, or use the refresh token that came with it.")}
	case strings.ContainsAny(asked, ",;+") && unknown != "":
		return advice{oauth.Say("The scopes are not separated by spaces."), oauth.Say("Put one space between scopes; in an address it is written %20.")}
	case malformed == oauth.ErrManyScopes:
		return advice{oauth.Say("The request asks for too many scopes."), oauth.Say("Ask for scopes by the names of this platform: %s.", string(a.Catalogue.All()))}
	case malformed != nil:
		return advice{oauth.Say("A scope has a character that no scope has."), oauth.Say("Ask for scopes by the names of this platform: %s.", string(a.Catalogue.All()))}
	case unknown != "":
		name := unknown.Tokens()[0]
		if like := a.scopeLike(name); like != "" {
			return advice{oauth.Say("There is no scope %s, but one that is called %s.", cut(name), like), oauth.Say("Ask for %s.", like)}
		}
		return advice{oauth.Say("There is no scope %s.", cut(name)), oauth.Say("Ask for scopes by the names of this platform: %s.", string(a.Catalogue.All()))}
	case forbidden != "":
		name := forbidden.Tokens()[0]
		return advice{oauth.Say("The scope %s is not allowed to the application.", name), a.howToAllow(oauth.Scope(name))}
	case a.Parameters.Get("grant_type") == "refresh_token":
		return advice{oauth.Say("The refresh asks for more than was granted: %s.", string(a.Authorization.Scope)), oauth.Say("Leave scope out of the refresh, and ask people for more on the authorize page.")}
	case scope == "" && a.Catalogue.Default == "":
		return advice{oauth.Say("No scope came, and this platform has no default."), oauth.Say("Ask for scopes by the names of this platform: %s.", string(a.Catalogue.All()))}
	case scope == "" && !a.Application.Scope.Covers(a.Catalogue.Default):
		return advice{oauth.Say("No scope came, so the default was asked for, which is not allowed to the application: %s.", string(a.Catalogue.Default)), oauth.Say("Send a scope, or allow the default in the settings of the application.")}
	case a.Parameters.Get("grant_type") == "client_credentials":
		if personal := cmp.Or(scope, a.Catalogue.Default).Without(a.Catalogue.ForApplicationsAlone()); personal != "" {
			return advice{oauth.Say("Only a person can give the scope %s.", personal.Tokens()[0]), oauth.Say("Ask for other scopes with client_credentials, and people for this one on the authorize page.")}
		}
	}
	return advice{}
}

// howToAllow tells how an application comes by what it is not allowed.
func (a Attempt) howToAllow(scope oauth.Scope) oauth.Sentence {
	for _, name := range scope.Tokens() {
		if p, ok := a.Catalogue.Find(name); ok && p.NeedsApproval {
			return oauth.Say("An administrator of this platform has to allow it. Ask for it in the settings of the application.")
		}
	}
	return oauth.Say("Tick it in the settings of the application.")
}

// scopeLike is the configured scope that a name was probably meant to be.
func (a Attempt) scopeLike(name string) string {
	for _, known := range a.Catalogue.All().Tokens() {
		if strings.EqualFold(known, name) || distance(strings.ToLower(known), strings.ToLower(name)) <= min(2, len(known)/3) {
			return known
		}
	}
	return ""
}

// distance is how many characters have to be changed, added or taken away to make one
// string of the other (Levenshtein).
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// whichGrant explains a grant_type that is not offered.
func (a Attempt) whichGrant(refusal *oauth.Error, _ time.Time) advice {
	if a.Place != "token" {
		return advice{}
	}
	kind := a.Parameters.Get("grant_type")
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(kind))
	switch {
	case kind == "":
		return advice{mend: oauth.Say("Send grant_type in the body; what stands in the query of the address is not read.")}
	case refusal.Code != oauth.UnsupportedGrantType:
		return advice{}
	case plain == "password":
		return advice{oauth.Say("The grant password is not offered: an application should never see a password."), oauth.Say("Send people to the authorize page, and use the grant authorization_code.")}
	}
	for _, known := range []string{"authorization_code", "refresh_token", "client_credentials"} {
		if d := distance(plain, strings.ReplaceAll(known, "_", "")); d <= 3 {
			return advice{oauth.Say("The grant_type is almost, but not quite, %s.", known), oauth.Say("Send grant_type=%s.", known)}
		}
	}
	return advice{mend: oauth.Say("Send grant_type=authorization_code, refresh_token or client_credentials.")}
}
