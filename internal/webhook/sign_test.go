package webhook

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestTheJavaScriptOfTheDocumentationVerifies(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no node")
	}
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(text), "```js\nimport { createHmac")
	code, _, found := strings.Cut(code, "```")
	if !found {
		t.Fatal("docs/protocol.md has no JavaScript that verifies")
	}
	path := filepath.Join(t.TempDir(), "verify.mjs")
	code = "import { createHmac" + code + "\nconsole.log(verify(process.argv[2], JSON.parse(process.argv[3]), Buffer.from(process.argv[4])));\n"
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	w, hook, now := newWorld(t, Config{}).hooks, oauth.Webhook{Generation: 1}, time.Now()
	const id, at, signature, body = "webhook-id", "webhook-timestamp", "webhook-signature", `{"type":"webhook.test"}`
	rows := []struct {
		name  string
		spoil func(map[string]string)
		want  string
	}{
		{"a delivery", func(map[string]string) {}, "true"},
		{"another id", func(h map[string]string) { h[id] = "b" }, "false"},
		{"an old one", func(h map[string]string) { h[at] = "1" }, "false"},
		{"another signature", func(h map[string]string) { h[signature] = "v1,AAAA x" }, "false"},
		{"no id", func(h map[string]string) { delete(h, id) }, "false"},
		{"no timestamp", func(h map[string]string) { delete(h, at) }, "false"},
		{"no signature", func(h map[string]string) { delete(h, signature) }, "false"},
	}
	for _, row := range rows {
		headers := map[string]string{id: "a", at: strconv.FormatInt(now.Unix(), 10), signature: w.signatures(hook, "a", now, body)}
		row.spoil(headers)
		sent, err := json.Marshal(headers)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "node", path, w.Secret(hook), string(sent), body).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != row.want {
			t.Errorf("%s: %s (%v); want %s", row.name, got, err, row.want)
		}
	}
}

func TestTheSecretBeforeSignsForADay(t *testing.T) {
	w := newWorld(t, Config{}).hooks
	now := w.store.Now()
	const id, body, day = "a", "{}", 24 * time.Hour
	by := func(generation int64) string {
		return w.signatures(oauth.Webhook{Generation: generation}, id, now, body)
	}
	for _, row := range []struct {
		name    string
		rotated time.Time
		want    string
	}{
		{"a secret that replaced none", time.Time{}, by(2)},
		{"one that replaced another just now", now, by(2) + " " + by(1)},
		{"one that did nearly a day ago", now.Add(time.Hour - day), by(2) + " " + by(1)},
		{"one that did a day ago", now.Add(-day), by(2)},
	} {
		hook := oauth.Webhook{Generation: 2, RotatedAt: row.rotated}
		if got := w.signatures(hook, id, now, body); got != row.want {
			t.Errorf("%s: signed %s; want %s", row.name, got, row.want)
		}
		if until := w.Overlap(hook); until.IsZero() == strings.Contains(row.want, " ") || !until.IsZero() && !until.Equal(row.rotated.Add(day)) {
			t.Errorf("%s: the one before signs until %v", row.name, until)
		}
	}
}
