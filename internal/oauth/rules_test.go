package oauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestRedirectURIsThatMayBeRegistered(t *testing.T) {
	const both, publicOnly, never = "both", "public", "never"
	for uri, want := range map[string]string{
		"https://app.example/callback":                      both,
		"https://app.example":                               both,
		"https://app.example:8443/cb?tenant=a%20b":          both,
		"https://[2001:db8::1]/cb":                          both,
		"http://127.0.0.1/cb":                               both,
		"http://127.0.0.1:8081/cb":                          both,
		"http://[::1]:9/cb":                                 both,
		"http://localhost:3000/cb":                          both,
		"com.example.app:/callback":                         publicOnly,
		"com.example.app://callback":                        publicOnly,
		"":                                                  never,
		"/callback":                                         never,
		"app.example/cb":                                    never,
		"http://app.example/cb":                             never,
		"http://127.0.0.1.evil.example/cb":                  never,
		"http://localhost.evil.example/cb":                  never,
		"http://localhost@evil.example/cb":                  never,
		"http://127.0.0.2/cb":                               never,
		"https://user@app.example/cb":                       never,
		"https://user:pass@app.example/cb":                  never,
		"https://app.example/cb#":                           never,
		"https://app.example/cb#part":                       never,
		"https://*.app.example/cb":                          never,
		"https://app.example/*":                             never,
		"https://app.example/cb?code=1":                     never,
		"https://app.example/cb?x=1&st%61te=2":              never,
		"https://app.example/cb?iss=x":                      never,
		"https://app.example/cb?a=b%zz":                     never,
		"https://app.example/cb?a=100%":                     never,
		"https://app.example/%zz":                           never,
		"com.example.app:/cb?a=%4":                          never,
		"HTTP://127.0.0.1/cb":                               both,
		"https://%D0%B0pple.com/cb":                         never,
		"https://%E2%80%AEmoc.elppa/cb":                     never,
		"https://./cb":                                      never,
		"https://-/cb":                                      never,
		"https://a..b/cb":                                   never,
		"https://a,b/cb":                                    never,
		"https://a;b/cb":                                    never,
		"https://a'b/cb":                                    never,
		"https://[::1%25eth0]/cb":                           never,
		"https://xn--pple-43d.com/cb":                       both,
		"https://192.0.2.7:8443/cb":                         both,
		"https://0x7f.example/cb":                           both,
		"https://7.example/cb":                              both,
		"https://app.1example/cb":                           both,
		"https://2130706433/cb":                             never,
		"https://0x7f000001/cb":                             never,
		"https://app.0X7F./cb":                              never,
		"https://1.2.3/cb":                                  never,
		"https://1.2.3.04/cb":                               never,
		"https://127.0.0.1./cb":                             never,
		"https://app.7/cb":                                  never,
		"https:///cb":                                       never,
		"https:app.example":                                 never,
		"https://app.example:0/cb":                          never,
		"https://app.example:99999/cb":                      never,
		"https://app.example\\@evil.example/":               never,
		"https://app.example/c b":                           never,
		"https://app.example/c\r\nSet-Cookie: a":            never,
		"https://äpp.example/cb":                            never,
		"https://app.example/cä":                            never,
		"https://app.example/\x7f":                          never,
		"https://app.example/{id}":                          never,
		"https://app.example:x/cb":                          never,
		"https://[::1/cb":                                   never,
		"https://AZ.example./cb":                            both,
		"https://-a.example/cb":                             never,
		"https://a-.example/cb":                             never,
		"https://" + strings.Repeat("x", 63) + ".example/":  both,
		"https://" + strings.Repeat("x", 64) + ".example/":  never,
		"https://" + strings.Repeat("x.", 123) + "example/": both,
		"https://" + strings.Repeat("x.", 124) + "example/": never,
		"https://app.example/" + strings.Repeat("x", 1980):  both,
		"myapp:/callback":                                   never,
		"javascript:alert(1)":                               never,
		"data:text/html,x":                                  never,
		"ftp://app.example/cb":                              never,
		"https://app.example/" + strings.Repeat("x", 2000):  never,
	} {
		confidential, public := oauth.CheckRedirectURI(uri, false).IsZero(), oauth.CheckRedirectURI(uri, true).IsZero()
		if confidential != (want == both) || public != (want != never) {
			t.Errorf("%q: confidential %v, public %v; want %s", uri, confidential, public, want)
		}
	}
}

func TestRedirectURIsAreComparedExactlyButForALoopbackPort(t *testing.T) {
	for _, c := range []struct {
		registered, presented string
		want                  bool
	}{
		{"https://app.example/cb", "https://app.example/cb", true},
		{"https://app.example/cb", "https://app.example/cb/", false},
		{"https://app.example/cb", "https://APP.example/cb", false},
		{"https://app.example/cb", "https://app.example:443/cb", false},
		{"https://app.example/cb", "https://app.example/cb?x=1", false},
		{"https://app.example/cb", "https://app.example/%63b", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true},
		{"http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true},
		{"http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", true},
		{"http://[::1]/cb?a=b", "http://[::1]:9/cb?a=b", true},
		{"http://localhost/cb", "http://localhost:9/cb", true},
		{"http://localhost", "http://localhost:9", true},
		{"HTTP://127.0.0.1/cb", "HTTP://127.0.0.1:9/cb", true},
		{"Http://localhost:1/cb", "Http://localhost/cb", true},
		{"HTTP://127.0.0.1/cb", "http://127.0.0.1:9/cb", false},
		{"HTTPS://localhost/cb", "HTTPS://localhost:9/cb", false},
		{"http://localhost?a=b", "http://localhost:9?a=b", true},
		{"http://localhost/cb", "http:", false},
		{"http://localhost/cb", "http://127.0.0.1:9/cb", false},
		{"http://localhost/cb", "http://localhost:9/other", false},
		{"http://localhost/cb", "http://localhost:/cb", false},
		{"http://localhost/cb", "http://localhost:0/cb", false},
		{"http://localhost/cb", "http://localhost:65536/cb", false},
		{"http://localhost/cb", "http://localhost:9@evil.example/cb", false},
		{"http://localhost/cb", "http://localhost:80.evil.example/cb", false},
		{"http://localhost/cb", "http://localhostx/cb", false},
		{"http://localhost:1.evil.example/cb", "http://localhost:2.evil.example/cb", false},
		{"a.bc://localhost/cb", "a.bc://localhost:9/cb", false},
		{"http://localhost/cb", "https://localhost:9/cb", false},
		{"https://localhost/cb", "https://localhost:9/cb", false},
		{"com.example.app:/cb", "com.example.app:/cb", true},
		{"com.example.app:/cb", "com.example.app://cb", false},
	} {
		if got := oauth.MatchRedirectURI([]string{"https://other.example/", c.registered}, c.presented); got != c.want {
			t.Errorf("registered %q, presented %q: %v; want %v", c.registered, c.presented, got, c.want)
		}
	}
}

func TestTheAnswerIsAddedToTheQueryThatIsThere(t *testing.T) {
	state := "a b+c&d=e%20\"ü\x00;"
	for uri, want := range map[string]string{
		"https://a.example/cb":         "https://a.example/cb?code=x&state=",
		"https://a.example":            "https://a.example?code=x&state=",
		"https://a.example/cb?":        "https://a.example/cb?code=x&state=",
		"https://a.example/cb?q=%c3+y": "https://a.example/cb?q=%c3+y&code=x&state=",
		"https://a.example/cb?q=1&":    "https://a.example/cb?q=1&code=x&state=",
	} {
		got := oauth.AddToRedirectURI(uri, oauth.Parameter{Name: "code", Value: "x"},
			oauth.Parameter{Name: "none"}, oauth.Parameter{Name: "state", Value: state})
		if got != want+"a%20b%2Bc%26d%3De%2520%22%C3%BC%00%3B" {
			t.Errorf("%q gives %q", uri, got)
		}
	}
}

func TestRedirectHostIsWhatAPersonShouldKnow(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example/cb": "app.example", "http://127.0.0.1:8081/cb": "127.0.0.1:8081",
		"com.example.app:/cb": "com.example.app:", "com.example.app://bank.example/cb": "com.example.app:",
	} {
		if got := oauth.RedirectHost(uri); got != want {
			t.Errorf("RedirectHost(%q) = %q; want %q", uri, got, want)
		}
	}
}

func TestScopeKeepsTheOrderAndDropsRepetitions(t *testing.T) {
	for in, want := range map[string]string{
		"": "", " ": "", "a": "a", "b a": "b a", "a  b": "a b", "a b a": "a b", " a ": "a", "a,b": "a,b", "! ~": "! ~",
	} {
		got, refusal := oauth.ParseScope(in)
		if refusal != nil || string(got) != want {
			t.Errorf("ParseScope(%q) = %q, %v; want %q", in, got, refusal, want)
		}
	}
	for _, in := range []string{"a\tb", "a\"", "a\\", "ä", "a\x7f", "a\nb"} {
		if _, refusal := oauth.ParseScope(in); refusal == nil || refusal.Code != oauth.InvalidScope {
			t.Errorf("ParseScope(%q) accepted a character that RFC 6749 forbids", in)
		}
	}
}

func TestAScopeHasAnEndOfTokens(t *testing.T) {
	long := func(n int) string {
		var tokens []string
		for i := range n {
			tokens = append(tokens, fmt.Sprintf("s%d", i))
		}
		return strings.Join(tokens, " ")
	}
	if _, refusal := oauth.ParseScope("  " + long(256) + "  "); refusal != nil {
		t.Errorf("256 tokens: %v", refusal)
	}
	for name, scope := range map[string]string{"257 tokens": long(257), "256 tokens, one of them twice": long(256) + " s255"} {
		if _, refusal := oauth.ParseScope(scope); refusal == nil || refusal.Code != oauth.InvalidScope {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

func TestScopeIsASet(t *testing.T) {
	ab, ba := oauth.Scope("a b"), oauth.Scope("b a")
	switch {
	case !ab.Equal(ba), !ab.Covers("b"), !ab.Covers(""), oauth.Scope("").Covers("a"), ab.Has(""), ab.Has("a b"):
		t.Error("comparison is wrong")
	case ab.Within("c b") != "b", ab.Without("b") != "a", ab.With("c a") != "a b c", oauth.Scope("").With("x") != "x":
		t.Error("arithmetic is wrong")
	}
}

func TestARequestedScopeIsConfiguredAndAllowed(t *testing.T) {
	c := oauth.Catalogue{
		Permissions: []oauth.Permission{{Name: "profile"}, {Name: "community", NeedsConsent: true}, {Name: "admin", NeedsApproval: true}},
		Default:     "profile",
	}
	for _, r := range []struct {
		parameter, allowed, want string
		refused                  bool
	}{
		{"", "profile", "profile", false},
		{"  ", "profile", "profile", false},
		{"community profile", "profile community", "community profile", false},
		{"", "community", "", true},
		{"community", "profile", "", true},
		{"unknown", "unknown", "", true},
		{"profile \"", "profile", "", true},
	} {
		got, refusal := c.Request(r.parameter, oauth.Scope(r.allowed))
		if (refusal != nil) != r.refused || string(got) != r.want || refusal != nil && refusal.Code != oauth.InvalidScope {
			t.Errorf("Request(%q, %q) = %q, %v", r.parameter, r.allowed, got, refusal)
		}
	}
	if c.ForApplicationsAlone() != "profile admin" || c.WithoutApproval() != "profile community" {
		t.Errorf("alone %q, without approval %q", c.ForApplicationsAlone(), c.WithoutApproval())
	}
	if _, refusal := (oauth.Catalogue{}).Request("", "profile"); refusal == nil {
		t.Error("no default and no scope was accepted")
	}
}

func TestTokensAreReadStrictly(t *testing.T) {
	good := newToken(t, &random{n: 3})
	text := good.String()
	if got, ok := oauth.ParseToken(text, start); !ok || got != good || len(text) != oauth.TokenLength {
		t.Fatalf("a token does not survive its text: %v", ok)
	}
	for name, bad := range map[string]string{
		"shorter": text[1:], "longer": text + "A", "padded": text + "=", "with a line break": text[:42] + "\n",
		"of another alphabet": "+" + text[1:], "with stray bits": text[:42] + string(text[42]+1), "empty": "", "not a UUIDv7": strings.Repeat("A", 43),
	} {
		if _, ok := oauth.ParseToken(bad, start); ok {
			t.Errorf("a token %s was read", name)
		}
	}
	const day = 24 * time.Hour
	if _, ok := oauth.ParseToken(text, start.Add(-40*day)); !ok {
		t.Error("a token was not read by a clock that is behind")
	}
	if _, ok := oauth.ParseToken(text, start.Add(-400*day)); ok {
		t.Error("a token of the far future was read")
	}
}

func TestIDsSurviveTheirText(t *testing.T) {
	id := newToken(t, &random{n: 5}).ID
	if got, ok := oauth.ParseID(id.String()); !ok || got != id || !id.Time().Equal(start) || !id.Plausible(start) {
		t.Errorf("%s: %v", id, ok)
	}
	for _, bad := range []string{"", strings.ToUpper(id.String()), id.String() + "0", strings.Replace(id.String(), "-", "_", 1), strings.Repeat("g", 36)} {
		if _, ok := oauth.ParseID(bad); ok {
			t.Errorf("ParseID(%q) was read", bad)
		}
	}
}

func TestBasicIsReadFormEncodedAndRaw(t *testing.T) {
	for header, want := range map[string]string{
		"Basic YS1iOmMtZA==":     "a-b c-d", // a-b:c-d
		"basic YSUyRGI6YyUyRGQ=": "a-b c-d", // a%2Db:c%2Dd
		"Basic YTo=":             "a ",
		"Basic YTpiOmM=":         "a b:c",
		"Basic":                  "-", "Basic YQ==": "-", "Basic OmI=": "-", "Basic ***": "-", "Basic JXo6Yg==": "-", "Basic YToleno=": "-", "Basic YTpi*": "-", "Bearer YTpi": "-", "": "-",
	} {
		id, secret, ok := oauth.ParseBasic(header)
		if got := id + " " + secret; ok && got != want || !ok && want != "-" {
			t.Errorf("%q: %q, %v; want %q", header, got, ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	const pile = "The name has more than 4 marks on one letter."
	hidden := func(character string) string {
		return "The name has a character that cannot be shown: " + character + "."
	}
	for in, want := range map[string]string{
		"Ada": "", "  Ada   Lovelace ": "", "Zoë 🦉": "", strings.Repeat("x", 80): "",
		"": "Enter a name.", " \t": "Enter a name.", strings.Repeat("x", 81): "Use at most 80 characters for the name.",
		"a\u0301\u0301\u0301\u0301\u0301\u0301": pile, "\u0915\u093c\u094d\u200d\u0951\u0952\u0951": pile,
		"\u3164": hidden("U+3164"), "A\u2800": hidden("U+2800"), "evil\u202egpj": hidden("U+202E"), "a\x00": hidden("U+0000"), "a\xff": hidden("U+FFFD"),

		// What chooses between shapes, where there are two.
		"I \u2764\ufe0f tea": "", "Acme\u2122\ufe0f": "", "1\ufe0f\u20e3 One": "", "\u25b6\ufe0f Play": "", "Zo\u0065\u0308": "",
		"\ufe0f": hidden("U+FE0F"), "Ada\ufe0f": hidden("U+FE0F"), "Ada 1\ufe0f": hidden("U+FE0F"), "\u2764\ufe0f\ufe0f": hidden("U+FE0F"), "\u2764\ufe0e": hidden("U+FE0E"),

		// What nobody would see, and what has no letter to stand on.
		"\u034f": hidden("U+034F"), "Ada\u034f": hidden("U+034F"), "\u17b4\u17b5": hidden("U+17B4"), "\u180b": hidden("U+180B"), "A\u180f": hidden("U+180F"),
		"\U000e0100": hidden("U+E0100"), "\U00013441": hidden("U+13441"), "A\U00013442": hidden("U+13442"), "A\U00016fe4": hidden("U+16FE4"), "A\U0001d159": hidden("U+1D159"),
		"\u0301": "Enter a name.", "\u0301 \u20dd": "Enter a name.",

		// Joiners that change what is shown.
		"\u0639\u0644\u06cc\u200c\u0631\u0636\u0627":                   "", // Persian
		"\u0645\u064e\u200c\u0646":                                     "", // Arabic with a vowel between
		"\u0d9a\u0dca\u200d\u0dc2":                                     "", // Sinhala
		"\u0915\u094d\u200c\u0937":                                     "", // Hindi
		"\u0d28\u0d4d\u200d":                                           "", // Malayalam
		"\u09b0\u200d\u09cd\u09af\u09be\u09ac":                         "", // Bengali
		"\U0001f469\u200d\U0001f4bb Dev Tools":                         "",
		"\U0001f469\U0001f3fd\u200d\U0001f680":                         "", // with a tone of skin
		"\U0001f3f3\ufe0f\u200d\U0001f308":                             "", // with U+FE0F
		"\U0001f468\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f468": "",
		"\U0001f642\u200d\u2194\ufe0f":                                 "",
		"\U0001f408\u200d\u2b1b":                                       "",

		// Joiners that nobody would see.
		"ad\u200dmin": hidden("U+200D"), "ad\u200cmin": hidden("U+200C"), "\u200dadmin": hidden("U+200D"), "admin\u200d": hidden("U+200D"),
		"\u0639\u0644\u200d\u06cc":         hidden("U+200D"),
		"\u0639\u0644\u06cc\u200c":         hidden("U+200C"),
		"\u0639\u200c\u200c\u0644":         hidden("U+200C"),
		"\u0639\u200cx":                    hidden("U+200C"),
		"\u0915\u200d\u0937":               hidden("U+200D"),
		"\U0001f469\u200c\U0001f4bb":       hidden("U+200C"),
		"\U0001f469\u200d\u200d\U0001f4bb": hidden("U+200D"),
		"\U0001f469\u200dx":                hidden("U+200D"),
		"©\u200d©":                         hidden("U+200D"),
	} {
		if _, wrong := oauth.CleanName(in); wrong.String() != want {
			t.Errorf("CleanName(%+q): %q, want %q", in, wrong, want)
		}
	}
}

func TestLinks(t *testing.T) {
	const (
		scheme    = "Enter an address that begins with https://."
		host      = "It has no valid host; write an international name in its xn-- form."
		port      = "It has no valid port: that is a number from 1 to 65535."
		unescaped = "It has a character that RFC 3986 does not allow; escape it with a percent sign."
	)
	for in, want := range map[string]string{
		"https://a.example:99999/": port, "https://a.example:0/": port, "https://[::1]:99999/": port, "https://bücher.example:443/": host,
		"": "", "https://a.example/x": "", "http://localhost:1/": "", "https://xn--bcher-kva.example/": "",
		"https://a.example/" + strings.Repeat("é", 400): "",
		"https://a.example/" + strings.Repeat("x", 500): "Use at most 500 characters.",
		"http://a.example": scheme, "javascript:alert(1)": scheme, "//a.example": scheme, "nowhere": scheme, ":": scheme,
		"https://": host, "https://2130706433/": host, "https://bücher.example/": host, "https://a..example/": host,
		"https://u:p@a.example": "Leave out user name and password.",
		"https://a.example/%zz": unescaped, "https://a.example/?a=\u202egpj.exe": unescaped, "https://a.example/?q=a b": unescaped, "https://a.example/?\u034f": unescaped,
		"https://a.example/?a=\xff": unescaped, "https://a.example/?a=%E2%80%AE+b&c[]=~": "", "https://a.example/\u202ea b#\u202e": "",
	} {
		if _, wrong := oauth.CleanLink(in); wrong.String() != want {
			t.Errorf("CleanLink(%q): %q, want %q", in, wrong, want)
		}
	}
}

func TestErrorDescriptionsKeepToTheirCharacters(t *testing.T) {
	for in, want := range map[string]string{
		" !#[]~": " !#[]~", "a\x1fb\x7f": "a?b?", `"\`: "''", "ü\n\xff": "???",
		strings.Repeat("x", 400): strings.Repeat("x", 400), strings.Repeat("x", 401): strings.Repeat("x", 400) + "...",
	} {
		if got := oauth.NewError(oauth.InvalidScope, "%s", in).Description; got != want {
			t.Errorf("%q is described as %q; want %q", in, got, want)
		}
	}
}

func TestAnErrorRepeatsTheNameOfAParameterAndNoSentence(t *testing.T) {
	for encoded, want := range map[string]string{
		"scope=a&scope=b":                  "the parameter scope was sent twice",
		"Call+0900+1234=a&Call+0900+1234=": "the parameter ... was sent twice",
		"scope[]=a&scope%5B%5D=b":          "the parameter scope[] was sent twice",
		"=a&=b":                            "the parameter  was sent twice",
		"state=%zz":                        "the parameter state has a broken percent-encoding",
		"%D0%B0=%zz":                       "the parameter ... has a broken percent-encoding",
		strings.Repeat("a", 41) + "=%zz":   "the parameter ... has a broken percent-encoding",
	} {
		p, err := oauth.ParseParameters(encoded)
		if err == nil {
			err = errors.New(p.RefuseRepeated().Description)
		}
		if err.Error() != want {
			t.Errorf("%s: the error is %q; want %q", encoded, err, want)
		}
	}
}

func TestATimeToWaitIsTheNextWholeSecond(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		1: "1", time.Millisecond: "1", time.Second: "1", time.Second + 1: "2", 90 * time.Second: "90",
	} {
		if got := oauth.RetryAfter(wait); got != want {
			t.Errorf("RetryAfter(%v) = %s; want %s", wait, got, want)
		}
	}
}
