package guide

import (
	"html"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
)

func testReader() reader {
	g := Guide{
		Facts: Facts{
			Endpoints:  page.Endpoints{Issuer: "https://id.example", Authorize: "https://id.example/a", Token: "https://id.example/t", Revoke: "https://id.example/r", Me: "https://id.example/m"},
			Introspect: "https://id.example/i", Check: "https://id.example/c", Metadata: "https://id.example/.well-known/x",
			AccessLifetime: 90 * time.Minute, RefreshIdle: 36 * time.Hour, ReplayWindow: 7 * time.Second, Review: true,
		},
		Catalogue: func() oauth.Catalogue {
			return oauth.Catalogue{Permissions: []oauth.Permission{{Name: "tides", Description: "See <your> tides", NeedsApproval: true, Sensitive: true}}}
		},
	}
	return g.reader()
}

func languages(t *testing.T) map[string]*page.Language {
	t.Helper()
	pages, err := page.New(page.Brand{}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*page.Language{}
	for _, tag := range []string{"en", "de"} {
		r := httptest.NewRequest("GET", "/docs", nil)
		r.Header.Set("Accept-Language", tag)
		all[tag] = pages.LanguageOf(r)
	}
	return all
}

func sectionsIn(t *testing.T, l *page.Language) []section {
	t.Helper()
	g := Guide{texts: parse}
	all, err := g.read(l, testReader())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLanguagesHaveTheSameSections also finds examples that differ.
func TestLanguagesHaveTheSameSections(t *testing.T) {
	in := languages(t)
	english, german := sectionsIn(t, in["en"]), sectionsIn(t, in["de"])
	marks := regexp.MustCompile(`id="[^"]+"|href="[^"]+"|(?s)<code id=.*?</code>`)
	for i, s := range english {
		of, by := marks.FindAllString(string(s.body), -1), marks.FindAllString(string(german[i].body), -1)
		if s.slug != german[i].slug || !slices.Equal(of, by) {
			t.Errorf("%s is not the same in German:\n%q\n%q", s.slug, of, by)
		}
		if s.title == german[i].title && s.slug != "webhooks" {
			t.Errorf("the title of %s is not translated", s.slug)
		}
	}
}

func TestSectionsAreFilledInWithWhatIsTrue(t *testing.T) {
	var all strings.Builder
	for _, s := range sectionsIn(t, languages(t)["en"]) {
		all.WriteString(string(s.body))
	}
	for _, want := range []string{
		"https://id.example/a?response_type=code&amp;client_id=YOUR_CLIENT_ID", "POST https://id.example/t", "https://id.example/i", "5400 seconds", "1.5 days", "for 7 seconds", "more than 7 seconds after", "has 7 seconds for it",
		"See &lt;your&gt; tides", "An administrator has to allow it.", "This platform reviews applications",
		"issuer: &#34;https://id.example&#34;",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q stands nowhere", want)
		}
	}
	for _, unwanted := range []string{"profile", "community", "ZgotmplZ", "/irk/"} {
		if strings.Contains(all.String(), unwanted) {
			t.Errorf("%q stands somewhere", unwanted)
		}
	}
}

func TestDaysAreReadable(t *testing.T) {
	for idle, want := range map[time.Duration]string{180 * 24 * time.Hour: "180", 36 * time.Hour: "1.5", 100 * time.Hour: "4.17", 2000 * time.Hour: "83.33"} {
		if got := (reader{Facts: Facts{RefreshIdle: idle}}).Idle(); got != want {
			t.Errorf("%v are %s days, want %s", idle, got, want)
		}
	}
}

func TestAGatewayAsksForTheScopeAndKnowsWhoAnswers(t *testing.T) {
	about, in := testReader(), languages(t)["en"]
	about.Asked = "a+b c&d=$e"
	for _, check := range []string{"https://id.example/c", "http://127.0.0.1/c"} {
		about.Check = check
		all, err := (&Guide{texts: parse}).read(in, about)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, s := range all {
			text.WriteString(html.UnescapeString(string(s.body)))
		}
		for _, want := range []string{`curl "` + check + "?scope=a%2Bb+c%26d%3D%24e\"", "proxy_pass " + check + "?scope=a%2Bb+c%26d%3D%24e;\n    proxy_", "add_header WWW-Authenticate $challenge always;"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q stands nowhere", want)
			}
		}
		for _, header := range []string{"X-Account-Id", "X-Client-Id", "X-Scope", "X-Grant-Type"} {
			answered := "$upstream_http_" + strings.ToLower(strings.ReplaceAll(header, "-", "_")) + ";"
			_, set, _ := strings.Cut(text.String(), "proxy_set_header "+header+" ")
			variable, _, _ := strings.Cut(set, ";")
			if variable == "" || !strings.Contains(text.String(), "auth_request_set "+variable+" "+answered) {
				t.Errorf("the caller can forge %s, which is set to %q", header, variable)
			}
		}
		if secure := strings.HasPrefix(check, "https:"); strings.Contains(text.String(), "proxy_ssl_verify on;") != secure {
			t.Errorf("%s: the certificate is verified: %v", check, !secure)
		}
	}
}

func TestExamplesAskForNoMoreThanTheyMay(t *testing.T) {
	g := Guide{Facts: testReader().Facts, texts: parse, Catalogue: func() oauth.Catalogue {
		return oauth.Catalogue{Default: "profile", Permissions: []oauth.Permission{{Name: "profile"}, {Name: "events"}, {Name: "diary", NeedsConsent: true}}}
	}}
	for _, row := range []struct {
		scope oauth.Scope
		want  string
		me    bool
	}{
		{"profile diary", " \\\n  --data-urlencode scope=profile</code>", true},
		{"diary events", " \\\n  --data-urlencode scope=events</code>", false},
		{"diary", "", false},
		{"profile gone", " \\\n  --data-urlencode scope=profile</code>", true},
	} {
		for _, in := range languages(t) {
			about := g.reader()
			about.fillIn(oauth.Application{ClientID: "own", Scope: row.scope})
			sections, err := g.read(in, about)
			if err != nil {
				t.Fatal(err)
			}
			text := map[string]string{}
			for _, s := range sections {
				text[s.slug] = html.UnescapeString(string(s.body))
			}
			if _, alone, shown := strings.Cut(text["tokens"], `id="code-credentials"`); shown != (row.want != "") || !strings.Contains(alone, row.want) {
				t.Errorf("%s: client credentials for the scope %q have no %q:\n%s", in.Tag, row.scope, row.want, alone)
			}
			if strings.Contains(text["start"], "curl https://id.example/m ") != row.me {
				t.Errorf("%s: whether the scope %q can ask who the person is is not %v:\n%s", in.Tag, row.scope, row.me, text["start"])
			}
		}
	}
}

func TestSearch(t *testing.T) {
	sections := sectionsIn(t, languages(t)["en"])
	for _, row := range []struct{ query, first string }{
		{"invalid_grant", "/docs/errors#invalid_grant"},
		{"refresh", "/docs/tokens#refresh"},
		{"verify signature", "/docs/webhooks#verify"},
		{"PKC", "/docs/redirect-urls"},
		{"redirect uri", "/docs/"},
		{"Invalid Grant", "/docs/errors#invalid_grant"},
		{"code has expired", "/docs/errors#invalid_grant-code-has-expired"},
		{"nginx", "/docs/api#check"},
		{"zebra", ""},
		{"", ""},
		{"refresh zebra", ""},
	} {
		results := reader{}.search(sections, row.query)
		switch {
		case row.first == "" && len(results) > 0:
			t.Errorf("%q finds %v", row.query, results)
		case row.first != "" && (len(results) == 0 || !strings.HasPrefix(results[0].Address, row.first)):
			t.Errorf("%q finds %v first, want %s", row.query, results, row.first)
		}
	}
	got := reader{}.search(sections, "tides")
	if len(got) == 0 || !strings.Contains(string(got[0].Excerpt), "&lt;your&gt; <mark>tides</mark>") {
		t.Errorf("an excerpt is not escaped or not marked: %v", got)
	}
}

func TestExamplesFitTheApplication(t *testing.T) {
	l := languages(t)
	public := oauth.Application{
		ClientID: "the-public-one", Public: true, Scope: "tides", RedirectURIs: []string{"https://own.example/cb?for=us&more=it's"},
	}
	for _, row := range []struct {
		name         string
		application  oauth.Application
		wants, never []string
	}{
		{"public", public, []string{
			"-d client_id=the-public-one", `-d code_verifier="$VERIFIER"`, "code_challenge=THE_CHALLENGE",
			`--data-urlencode 'redirect_uri=https://own.example/cb?for=us&more=it'\''s'`, "https://own.example/cb?for=us&more=it's&code=CODE&",
		}, []string{`-u "the-public-one`, "YOUR_CLIENT_ID"}},
		{"confidential", oauth.Application{ClientID: "the-other", Scope: "tides", RedirectURIs: []string{"https://own.example/cb"}}, []string{
			`-u "the-other:$CLIENT_SECRET"`, "--data-urlencode redirect_uri=https://own.example/cb\n",
		}, []string{"code_verifier=\"", "THE_CHALLENGE"}},
	} {
		for _, in := range l {
			about := testReader()
			about.fillIn(row.application)
			g := Guide{texts: parse}
			sections, err := g.read(in, about)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, s := range sections {
				all.WriteString(html.UnescapeString(regexp.MustCompile(`</code>`).ReplaceAllString(string(s.body), "\n")))
			}
			for _, want := range row.wants {
				if !strings.Contains(all.String(), want) {
					t.Errorf("%s, %s: %q stands nowhere", row.name, in.Tag, want)
				}
			}
			for _, never := range row.never {
				if strings.Contains(all.String(), never) {
					t.Errorf("%s, %s: %q stands somewhere", row.name, in.Tag, never)
				}
			}
		}
	}
}
