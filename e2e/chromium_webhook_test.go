package e2e_test

import (
	"net/http"
	"testing"
)

// testWebhookTab sets up a webhook with a browser, and looks at deliveries that went well
// and badly.
func testWebhookTab(t *testing.T, c *chromium, s *server) {
	person := s.newAccount(t, "Grace Hopper")
	app := s.registerAs(t, person.email, "Tidepool", "https://tidepool.example", "https://tidepool.example/callback", "profile")
	l := newListener(t)
	b := c.signedIn(t, s, person)
	b.open(t, s.url+app.path())
	b.follow(t, "Webhook")
	b.shoot(t, "webhook-new", 1280, "light")
	b.fill(t, "URL", "http://app.example/")
	if status := b.press(t, "Create webhook"); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong URL is answered %d", status)
	}
	b.reads(t, "Enter an address that begins with https://.")
	b.fill(t, "URL", l.url)
	b.press(t, "Create webhook")
	b.reads(t, "Saved.", "Nothing was sent yet.")
	l.secret = s.webhookSecret(t, s.signIn(t, person).open(t, app.path()+"/webhook"))
	b.press(t, "Send a test event")
	l.next(t, "webhook.test")
	b.reads(t, "delivered", "Answered with 200.")
	l.failures.Store(1000)
	b.press(t, "Send a test event")
	b.reads(t, "failed", "Answered with 503.", "next attempt")
	s.command(t, "", "application", "suspend", app.ClientID)
	s.command(t, "", "application", "resume", app.ClientID)
	eventually(t, "both are tried", func() bool { return l.requests.Load() >= 4 })
	b.open(t, s.url+app.path()+"/webhook")
	b.unfold(t, "Show the secret")
	b.do(t, click(`//li[1]//summary[normalize-space()="What is sent"]`))
	b.measure(t)
	b.shoot(t, "webhook", 1280, "light")
	b.shoot(t, "webhook-dark", 1280, "dark")
	b.shoot(t, "webhook-phone", 360, "light")
	b.shoot(t, "webhook-phone-dark", 360, "dark")
	b.unfold(t, "Replace the secret")
	b.press(t, "Replace secret")
	b.reads(t, "The secret is replaced.", "What is sent is signed with the secret before this one too")
	b.unfold(t, "Delete this webhook")
	b.press(t, "Delete webhook")
	b.reads(t, "The webhook is deleted.")
}
