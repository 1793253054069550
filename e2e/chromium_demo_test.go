package e2e_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// demonstration is a running `latchkey demo` and what it printed.
type demonstration struct{ app, provider, email, password string }

func startDemo(t *testing.T) demonstration {
	t.Helper()
	temporary := t.TempDir()
	p := launch(t, []string{"TMPDIR=" + temporary}, "demo", "--listen", "127.0.0.1:0", "--app-listen", "127.0.0.1:0")
	t.Cleanup(func() {
		p.terminate(t)
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("demo left %v behind: %v", left, err)
		}
	})
	p.listening(t)
	printed := regexp.MustCompile(`(?s)example application +(http://\S+)\n +provider +(http://\S+)\n +sign in with +(\S+)\n +password +(\S+)\n.*press Connect`)
	tick, late := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		if m := printed.FindSubmatch(p.stdout.Bytes()); m != nil {
			return demonstration{string(m[1]), string(m[2]), string(m[3]), string(m[4])}
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("demo printed:\n%s", p.stdout.Bytes())
		}
	}
}

func testDemo(t *testing.T, c *chromium, _ *server) {
	d := startDemo(t)
	b := c.profile(t, d.app, d.provider)
	b.open(t, d.app)
	b.follow(t, "Connect")
	b.reads(t, "to continue to Tidepool")
	b.fill(t, "Email address", d.email, "Password", d.password)
	b.press(t, "Sign in")
	b.press(t, "Allow")
	b.reads(t, "Connected as Ada Example", "a person’s approval")
	b.shoot(t, "demo-connected", 1280, "light")
	checkSeconds(t, b)

	b.press(t, "Refresh")
	b.reads(t, "Connected as Ada Example", "Refreshed: both tokens are new")
	checkSeconds(t, b)
	b.press(t, "Call the API")
	checkAPIAnswer(t, b, "200 OK", d.email)
	b.press(t, "Call without the scope")
	b.reads(t, "As expected: 403 insufficient_scope.")
	checkAPIAnswer(t, b, "403 Forbidden", `WWW-Authenticate: Bearer `, `error="insufficient_scope"`, `scope="community"`)
	b.press(t, "Revoke")
	b.reads(t, "Revoked")
	b.press(t, "Call the API")
	checkAPIAnswer(t, b, "401 Unauthorized", `error="invalid_token"`)
	b.press(t, "Refresh")
	b.reads(t, "invalid_grant")

	b.press(t, "Use client credentials")
	b.reads(t, "Connected as Ada Example", "client credentials, nobody was asked")
	if b.has(t, button("Refresh")) {
		t.Error("client credentials got a refresh token")
	}
	b.follow(t, "Connect")
	b.press(t, "Cancel")
	b.reads(t, "Refused: access_denied")
}

// checkSeconds demands that the access token has nearly all of its two hours left.
func checkSeconds(t *testing.T, b *tab) {
	t.Helper()
	shown := obtain(t, b, chromedp.Text(chromedp.ID("expires")))
	m := regexp.MustCompile(`^expires in ([0-9]+) seconds$`).FindStringSubmatch(shown)
	if m == nil {
		t.Fatalf("the page says %q of the token", shown)
	}
	if n, err := strconv.Atoi(m[1]); err != nil || n > 7200 || n < 7200-int(patience.Seconds()) {
		t.Errorf("the token expires in %s seconds, want nearly 7200", m[1])
	}
}

// checkAPIAnswer demands what the demo shows as the last answer of the API.
func checkAPIAnswer(t *testing.T, b *tab, status string, parts ...string) {
	t.Helper()
	shown := obtain(t, b, chromedp.Text(chromedp.ID("answer")))
	if !strings.HasPrefix(shown, status+"\n") {
		t.Errorf("the answer is %q, want %s", shown, status)
	}
	for _, part := range parts {
		if !strings.Contains(shown, part) {
			t.Errorf("the answer does not have %q:\n%s", part, shown)
		}
	}
}
