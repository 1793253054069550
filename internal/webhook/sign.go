package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// rotationOverlap is how long after a rotation what is sent is signed with the secret
// before it too.
const rotationOverlap = 24 * time.Hour

// Secret is what an application verifies signatures with, in the form of Standard
// Webhooks. It can be derived again at any time, and is kept nowhere.
func (w *Webhooks) Secret(hook oauth.Webhook) string {
	key := w.key.WebhookKey(hook.ApplicationID, hook.Generation)
	return "whsec_" + base64.StdEncoding.EncodeToString(key[:])
}

// Overlap is until when the secret before the present one signs too, zero when it does no
// more.
func (w *Webhooks) Overlap(hook oauth.Webhook) time.Time {
	if until := hook.RotatedAt.Add(rotationOverlap); !hook.RotatedAt.IsZero() && w.store.Now().Before(until) {
		return until
	}
	return time.Time{}
}

// signatures is the value of webhook-signature: one for each key that counts.
func (w *Webhooks) signatures(hook oauth.Webhook, id string, at time.Time, body string) string {
	key := w.key.WebhookKey(hook.ApplicationID, hook.Generation)
	all := sign(key[:], id, at, body)
	if !w.Overlap(hook).IsZero() {
		key = w.key.WebhookKey(hook.ApplicationID, hook.Generation-1)
		all += " " + sign(key[:], id, at, body)
	}
	return all
}

// sign follows Standard Webhooks: the id, the time in Unix seconds and the body, with dots
// between them, under HMAC-SHA256.
func sign(key []byte, id string, at time.Time, body string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
