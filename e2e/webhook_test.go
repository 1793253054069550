package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// impatient has webhooks that are retried soon.
const impatient = config + `
webhooks:
  first_retry: 50ms
`

func TestWebhooks(t *testing.T) {
	t.Parallel()
	all := func(t *testing.T, fresh func(*testing.T) *server) {
		s := fresh(t)
		t.Run("a disconnection is told, again until it is taken", func(t *testing.T) { testDisconnectionIsTold(t, s) })
		t.Run("what the application did itself is not told", func(t *testing.T) { testOwnRevocation(t, s) })
		t.Run("a command and a theft are told", func(t *testing.T) { testOtherEnds(t, s) })
		t.Run("a developer sends, sends again and replaces the secret", func(t *testing.T) { testDeveloper(t, s) })
		t.Run("a receiver that says too much writes no line of its own into the log", func(t *testing.T) { testTalkative(t, s) })
		t.Run("what is wrong with a form is said beside it", func(t *testing.T) { testWebhookForm(t, s) })
		t.Run("a server that is killed loses nothing", func(t *testing.T) { testWebhookKilled(t, fresh(t)) })
		t.Run("the end of a secret is told once", func(t *testing.T) { testEndingSecret(t, fresh(t)) })
	}
	t.Run("on SQLite", func(t *testing.T) {
		t.Parallel()
		all(t, func(t *testing.T) *server { return impatientServer(t) })
	})
	t.Run("on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		key := writeKey(t)
		place := func(t *testing.T) []string {
			return []string{"--database", postgres.Database(t), "--server-key-file", key}
		}
		all(t, func(t *testing.T) *server { return impatientServer(t, place(t)...) })
		t.Run("two servers deliver each event once", func(t *testing.T) {
			shared := place(t)
			other := newServer(t, shared...)
			other.serve(t, impatient)
			testDeliveredOnce(t, impatientServer(t, shared...))
		})
	})
}

// impatientServer retries soon; Ada is signed in.
func impatientServer(t *testing.T, place ...string) *server {
	t.Helper()
	s := newServer(t, place...)
	s.serve(t, impatient)
	s.ada = s.newAccount(t, "Ada Lovelace")
	s.session = s.signIn(t, s.ada)
	return s
}

// hook sets the webhook of an application on its page, for every event, and reads the secret there.
func (s *server) hook(t *testing.T, app application) *listener {
	t.Helper()
	l := newListener(t)
	p := s.session.press(t, s.session.open(t, app.path()+"/webhook"), "Create webhook", "url", l.url)
	p.reads(t, http.StatusOK, "Saved.")
	l.secret = s.webhookSecret(t, p)
	return l
}

func (s *server) webhookSecret(t *testing.T, p *page) string {
	t.Helper()
	for o := range descendants(p.root, "output") {
		if attr(o, "id") == "webhook-secret" {
			s.vault.add("webhook secret", words(o))
			return words(o)
		}
	}
	t.Fatalf("no secret on the page: %s", p.text())
	return ""
}

// authorizationID is the half of a token that names its authorization.
func authorizationID(t *testing.T, token string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16])
}

// disconnect is what Ada does in her settings.
func (s *server) disconnect(t *testing.T, app application) {
	t.Helper()
	s.session.submit(t, "/settings/connections/"+app.ClientID+"/disconnect", nil).reads(t, http.StatusOK, "Disconnected.")
}

func testDisconnectionIsTold(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	got := s.grant(t, app)
	var me struct{ User struct{ ID string } }
	if err := json.Unmarshal(s.me(t, got.Access).body, &me); err != nil {
		t.Fatal(err)
	}
	l.failures.Store(2)
	s.disconnect(t, app)
	n := l.next(t, "authorization.revoked")
	want := map[string]string{
		"client_id": app.ClientID, "authorization_id": authorizationID(t, got.Access), "account_id": me.User.ID, "reason": "disconnected",
	}
	if fmt.Sprint(n.Data) != fmt.Sprint(want) || time.Since(n.At).Abs() > time.Minute {
		t.Errorf("told %v; want %v", n, want)
	}
	if l.requests.Load() != 3 {
		t.Errorf("%d requests; want 3", l.requests.Load())
	}
	eventually(t, "the log shows it", func() bool {
		text := s.session.open(t, app.path()+"/webhook").text()
		return strings.Contains(text, "delivered") && strings.Contains(text, "3 attempts") && strings.Contains(text, n.id)
	})
	l.silent(t)
}

func testOwnRevocation(t *testing.T, s *server) {
	for _, app := range []application{s.register(t, registration{}), s.register(t, registration{public: true})} {
		l := s.hook(t, app)
		first, second := s.grant(t, app), s.grant(t, app)
		s.revoke(t, app, first.Access).checkStatus(t, http.StatusOK)
		s.disconnect(t, app)
		if n := l.next(t, "authorization.revoked"); n.Data["authorization_id"] != authorizationID(t, second.Access) {
			t.Errorf("told %v", n)
		}
		l.silent(t)
	}
}

func testOtherEnds(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	got := s.grant(t, app)
	s.command(t, "", "authorization", "revoke", authorizationID(t, got.Access))
	if n := l.next(t, "authorization.revoked"); n.Data["reason"] != "operator" {
		t.Errorf("told %v", n)
	}
	code := s.code(t, app)
	s.redeem(t, app, code).tokens(t)
	s.redeem(t, app, code).checkRefused(t, "invalid_grant")
	if n := l.next(t, "authorization.revoked"); n.Data["reason"] != "code_replayed" {
		t.Errorf("told %v", n)
	}
	first := s.grant(t, app)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	s.refresh(t, app, second.Refresh).tokens(t)
	s.refresh(t, app, first.Refresh).checkRefused(t, "invalid_grant")
	if n := l.next(t, "authorization.revoked"); n.Data["reason"] != "refresh_token_replayed" {
		t.Errorf("told %v", n)
	}
	s.command(t, "", "application", "suspend", app.ClientID)
	if n := l.next(t, "application.suspended"); n.Data["reason"] != "administrator" {
		t.Errorf("told %v", n)
	}
	s.command(t, "", "application", "resume", app.ClientID)
	l.next(t, "application.resumed")
	l.silent(t)
}

func testDeveloper(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	p := s.session.press(t, s.session.open(t, app.path()+"/webhook"), "Send a test event")
	n := l.next(t, "webhook.test")
	if !strings.Contains(p.text(), "Sent.") || !strings.Contains(p.text(), "delivered") || !strings.Contains(p.text(), n.id) {
		t.Errorf("after a test: %s", p.text())
	}
	before := p
	p = s.session.press(t, p, "Replace secret")
	s.session.press(t, before, "Replace secret").reads(t, http.StatusOK, "Nothing was changed: the secret was replaced")
	old := l.secret
	s.session.press(t, p, "Send again")
	if again := l.next(t, "webhook.test"); again.id != n.id {
		t.Errorf("sent again as %s; want %s", again.id, n.id)
	}
	if l.secret = s.webhookSecret(t, p); l.secret == old {
		t.Error("the secret is the same")
	}
	s.session.press(t, p, "Send a test event")
	l.next(t, "webhook.test")

	p = s.session.press(t, p, "Delete webhook")
	if !strings.Contains(p.text(), "The webhook is deleted.") || !p.offers("Create webhook") {
		t.Errorf("after the end: %s", p.text())
	}
	if l := s.hook(t, app); l.secret == old {
		t.Error("a new webhook has the secret of one that was deleted")
	}
}

// testTalkative leaves it to the end of the server to look at the form of what was logged.
func testTalkative(t *testing.T, s *server) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 204 No Content\r\n\r\nmore")
		_, _ = io.Copy(io.Discard, conn) // until the server has had enough
	}))
	t.Cleanup(receiver.Close)
	app := s.register(t, registration{})
	p := s.session.press(t, s.session.open(t, app.path()+"/webhook"), "Create webhook", "url", receiver.URL)
	s.session.press(t, p, "Send a test event").reads(t, http.StatusOK, "delivered")
	eventually(t, "the log tells of the receiver", func() bool { return bytes.Contains(s.stderr.Bytes(), []byte("Unsolicited response")) })
}

func testWebhookForm(t *testing.T, s *server) {
	app := s.register(t, registration{})
	empty := s.session.open(t, app.path()+"/webhook")
	for _, row := range []struct{ address, wants string }{
		{"http://app.example/", "Enter an address that begins with https://."},
		{"https://10.0.0.1/", "This server delivers to public addresses only."},
		{"", "Enter the URL that is to be told."},
	} {
		s.session.press(t, empty, "Create webhook", "url", row.address).reads(t, http.StatusUnprocessableEntity, row.wants)
	}
	s.session.submit(t, app.path()+"/webhook", url.Values{"url": {"https://app.example/"}}).
		reads(t, http.StatusUnprocessableEntity, "Choose at least one event.")
	s.session.submit(t, app.path()+"/webhook", nil).
		reads(t, http.StatusUnprocessableEntity, "Enter the URL that is to be told.", "Choose at least one event.")
}

func testWebhookKilled(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	for range 3 {
		got := s.grant(t, app)
		s.disconnect(t, app)
		s.kill(t)
		s.again(t, impatient)
		// It may have been told before the server died, and again after.
		for n := l.next(t, "authorization.revoked"); n.Data["authorization_id"] != authorizationID(t, got.Access); {
			n = l.next(t, "authorization.revoked")
		}
	}
}

func testEndingSecret(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	s.command(t, "", "application", "rotate-secret", app.ClientID)
	for range 2 { // it looks when it starts
		s.terminate(t)
		s.again(t, impatient)
	}
	n := l.next(t, "secret.ending")
	ends, err := time.Parse(time.RFC3339, n.Data["ends_at"])
	if err != nil || time.Until(ends) < 23*time.Hour || time.Until(ends) > 24*time.Hour {
		t.Errorf("told %v", n)
	}
	s.session.press(t, s.session.open(t, app.path()+"/webhook"), "Send a test event")
	l.next(t, "webhook.test")
	l.silent(t)
}

func testDeliveredOnce(t *testing.T, s *server) {
	app := s.register(t, registration{})
	l := s.hook(t, app)
	const connections = 30
	for range connections {
		s.grant(t, app)
	}
	s.disconnect(t, app)
	seen := map[string]bool{}
	for range connections {
		n := l.next(t, "authorization.revoked")
		if seen[n.id] {
			t.Errorf("%s is delivered twice", n.id)
		}
		seen[n.id] = true
	}
	eventually(t, "the log has no delivery on its way", func() bool {
		return !strings.Contains(s.session.open(t, app.path()+"/webhook").text(), "on its way")
	})
	l.silent(t)
	s.checkLog(t, app, connections)
}

// checkLog turns the pages of the log of deliveries.
func (s *server) checkLog(t *testing.T, app application, want int) {
	t.Helper()
	seen := map[string]bool{}
	for next := app.path() + "/webhook"; next != ""; {
		p := s.session.open(t, next)
		next = ""
		var source strings.Builder
		if err := html.Render(&source, p.root); err != nil || source.Len() > 35_000 {
			t.Errorf("a page has %d bytes (%v)", source.Len(), err)
		}
		for f := range descendants(p.root, "form") {
			if _, id, found := strings.Cut(attr(f, "action"), "/deliveries/"); found {
				seen[id] = true
			}
		}
		for a := range descendants(p.root, "a") {
			if words(a) == "Older" {
				next = attr(a, "href")
			}
		}
	}
	if len(seen) != want {
		t.Errorf("the log shows %d deliveries; want %d", len(seen), want)
	}
}
