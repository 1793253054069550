package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
)

const exempt = "limits:\n  exempt: [127.0.0.0/8]\n"

func TestFirstRun(t *testing.T) {
	t.Parallel()
	t.Run("a link sets an empty platform up, once", testFirstRun)
	t.Run("the file wins over what is said in the browser", testFirstRunBesideFile)
	t.Run("an administrator made otherwise ends it, and nobody else", testFirstRunOvertaken)
	t.Run("a restart prints another link, and the one before it counts no more", testFirstRunAgain)
	t.Run("of many who use a link at once one wins", testFirstRunRace)
	t.Run("another replica goes by it", testFirstRunReplicas)
}

// firstRun waits for the link that serve printed on its second line.
func (s *server) firstRun(t *testing.T) string {
	t.Helper()
	var lines []string
	eventually(t, "a link is printed", func() bool {
		lines = strings.Split(string(s.stdout.Bytes()), "\n")
		return len(lines) > 2
	})
	m := regexp.MustCompile(`^first run: open (http://\S+(/first-run\?key=([0-9a-f]{64})))$`).FindStringSubmatch(lines[1])
	if m == nil || !strings.HasPrefix(m[1], s.url) {
		t.Fatalf("the second line is %q", lines[1])
	}
	s.vault.add("key of the first run", m[3])
	return m[2]
}

func (s *server) stranger() (*browser, account) {
	person := s.newcomer("Frances Allen")
	return s.browser(person), person
}

func firstRunForm(p account, more ...string) url.Values {
	return with(url.Values{"platform": {"Tidepool Club"}, "name": {p.name}, "email": {p.email}, "password": {p.password},
		"sentence": {"See who you are"}, "scope-2": {"tides"}, "sentence-2": {"See your tides"}}, more...)
}

func testFirstRun(t *testing.T) {
	t.Parallel()
	s := start(t, exempt)
	b, person := s.stranger()
	link := s.firstRun(t)
	b.open(t, "/first-run").reads(t, http.StatusForbidden, "This link does not count")
	b.open(t, link[:len(link)-1]+"x").reads(t, http.StatusForbidden, "This link does not count")
	opened := b.open(t, link)
	opened.reads(t, http.StatusOK, "Set up your platform")
	if opened.url.RawQuery != "" {
		t.Errorf("the key stays in the URL %s", opened.url.Redacted())
	}
	german := b.openIn(t, "de", "/first-run")
	for input := range descendants(german.root, "input") {
		if attr(input, "name") == "sentence" && attr(input, "value") != "Ihren Namen, Ihr Bild und Ihre E-Mail-Adresse sehen" {
			t.Errorf("in German the sentence is %q", attr(input, "value"))
		}
	}
	for name, form := range map[string]url.Values{
		"Use at most 80 characters": firstRunForm(person, "platform", strings.Repeat("x", 100)),
		"Enter an email address":    firstRunForm(person, "email", "nobody"),
		"Use one word":              firstRunForm(person, "scope-2", "two words"),
		"This scope is there":       firstRunForm(person, "scope-2", "profile"),
		"Write what an application": firstRunForm(person, "sentence-2", ""),
		"then, in at most 80":       firstRunForm(person, "sentence-2", strings.Repeat("x", 100)),
	} {
		b.submit(t, "/first-run", form).reads(t, http.StatusUnprocessableEntity, name)
	}
	b.submit(t, "/first-run", firstRunForm(person, "scope-2", "", "scope-3", "tides", "sentence-3", "x", "scope-4", "tides", "sentence-4", "x")).
		reads(t, http.StatusUnprocessableEntity, "Use one word", "This scope is there")
	b.submit(t, "/first-run", firstRunForm(person, "platform", "", "name", strings.Repeat("x", 100), "email", "nobody", "password", "x", "scope-2", "two words")).
		reads(t, http.StatusUnprocessableEntity, "Enter a name", "Use at most 80 characters", "Enter an email address", "Use at least 8 characters", "Use one word")
	b.submit(t, "/first-run", firstRunForm(person)).reads(t, http.StatusOK, "The platform is set up. Welcome.", "Tidepool Club", person.name)
	for _, path := range []string{link, "/first-run"} {
		b.open(t, path).reads(t, http.StatusNotFound, "There is no such page")
	}
	b.submit(t, "/first-run", firstRunForm(person)).reads(t, http.StatusNotFound)
	checkSetUp(t, s, b, person)
	s.terminate(t)
	s.serve(t, exempt)
	if lines := strings.TrimSpace(string(s.stdout.Bytes())); strings.Contains(lines, "first run") {
		t.Errorf("a link is printed although there is an account: %s", lines)
	}
	again := s.signIn(t, person)
	checkSetUp(t, s, again, person)
}

// checkSetUp demands that pages, protocol and commands go by what was said.
func checkSetUp(t *testing.T, s *server, b *browser, person account) {
	t.Helper()
	b.open(t, "/settings/applications/new").reads(t, http.StatusOK, "Tidepool Club", "See your tides", "See who you are")
	b.open(t, "/admin/audit").reads(t, http.StatusOK, "settings.changed", "account.created", "Tidepool Club", "profile tides")
	r := run(t, "", "application", "create", "--owner", person.email, "--name", "Tide", "--redirect-uri", callback, "--scope", "tides", "--data", s.data)
	if r.status != 0 {
		t.Errorf("a command does not know the scope: %s", r.stderr)
	}
	if body := s.do(t, get("/.well-known/oauth-authorization-server", "")).body; !strings.Contains(string(body), `"tides"`) {
		t.Errorf("the metadata do not know the scope: %s", body)
	}
}

func testFirstRunBesideFile(t *testing.T) {
	t.Parallel()
	s := start(t, config+"brand:\n  name: Harbour\n")
	b, person := s.stranger()
	b.open(t, s.firstRun(t)).reads(t, http.StatusOK, "Harbour", "From the configuration file.", "See the communities you belong to")
	b.submit(t, "/first-run", firstRunForm(person)).reads(t, http.StatusOK, "Harbour")
	page := b.open(t, "/settings/applications/new")
	page.reads(t, http.StatusOK, "Harbour", "See the events you attend")
	if strings.Contains(page.text(), "tides") || strings.Contains(page.text(), "Tidepool") {
		t.Errorf("what was posted counts beside the file:\n%s", page.text())
	}
	if log := b.open(t, "/admin/audit").text(); !strings.Contains(log, "account.created") || strings.Contains(log, "settings.changed") {
		t.Errorf("although the file says all, the log says:\n%s", log)
	}
}

func testFirstRunOvertaken(t *testing.T) {
	t.Parallel()
	s := start(t, config)
	b, person := s.stranger()
	b.open(t, s.firstRun(t)).reads(t, http.StatusOK, "Set up your platform")
	somebody := s.newAccount(t, "Somebody Else")
	b.open(t, "/first-run").reads(t, http.StatusOK, "Set up your platform")
	taken := firstRunForm(person)
	taken.Set("email", somebody.email)
	b.submit(t, "/first-run", taken).reads(t, http.StatusUnprocessableEntity, "There is an account with this email address already.")
	s.command(t, "", "account", "promote", somebody.email)
	b.open(t, "/first-run").reads(t, http.StatusNotFound)
	b.submit(t, "/first-run", firstRunForm(person)).reads(t, http.StatusNotFound)
}

func testFirstRunAgain(t *testing.T) {
	t.Parallel()
	s := start(t, config)
	old := s.firstRun(t)
	s.terminate(t)
	s.serve(t, config)
	b, _ := s.stranger()
	b.open(t, old).reads(t, http.StatusForbidden, "This link does not count")
	b.open(t, s.firstRun(t)).reads(t, http.StatusOK, "Set up your platform")
}

func testFirstRunRace(t *testing.T) {
	t.Parallel()
	s := start(t, exempt)
	link := s.firstRun(t)
	var wg sync.WaitGroup
	won := make([]bool, 8)
	for i := range won {
		b, person := s.stranger()
		b.open(t, link)
		wg.Go(func() {
			p := b.submit(t, "/first-run", firstRunForm(person))
			won[i] = p.status == http.StatusOK && strings.Contains(p.text(), "Welcome")
		})
	}
	wg.Wait()
	n := 0
	for _, w := range won {
		if w {
			n++
		}
	}
	if accounts := strings.Count(s.command(t, "", "account", "list", "--json"), `"email"`); n != 1 || accounts != 1 {
		t.Errorf("%d have set the platform up, and there are %d accounts; want 1", n, accounts)
	}
}

func testFirstRunReplicas(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	first, second := newServer(t, "--database", database), newServer(t, "--database", database)
	second.data = first.data
	first.serve(t, exempt)
	first.firstRun(t)
	second.serve(t, exempt)
	// One more starts when somebody has signed up, and prints no link.
	third := newServer(t, "--database", database)
	third.data = first.data
	first.newAccount(t, "Early Bird")
	third.serve(t, exempt)
	b, person := second.stranger()
	b.open(t, second.firstRun(t))
	b.submit(t, "/first-run", firstRunForm(person)).reads(t, http.StatusOK, "Welcome")
	for name, s := range map[string]*server{"that was there": first, "that came later": third} {
		beside := s.signIn(t, person)
		eventually(t, "the replica "+name+" goes by it", func() bool {
			text := beside.open(t, "/settings/applications/new").text()
			return strings.Contains(text, "Tidepool Club") && strings.Contains(text, "See your tides")
		})
	}
}
