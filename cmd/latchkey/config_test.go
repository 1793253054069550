package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// outcome is what a command left.
type outcome struct {
	stdout, stderr string
	status         int
}

// call runs a command with an environment of its own.
func call(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	status := run(t.Context(), args, terminal{in: in, out: &stdout, err: &stderr, env: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}})
	return outcome{stdout.String(), stderr.String(), status}
}

// write makes a configuration file, named latchkey.yaml in a folder of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "latchkey.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLifetimesMustBeASecondOrMore(t *testing.T) {
	// A server that is not refused ends all the same: there is no such port.
	for _, key := range []string{"access_token_lifetime", "refresh_token_idle", "session_lifetime"} {
		for _, value := range []string{"0", "0s", "999ms", "-1h"} {
			got := call(t, nil, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:99999", "--config", write(t, key+": "+value+"\n"))
			if got.status != 1 || !strings.Contains(got.stderr, key+" must be a second or more") {
				t.Errorf("%s: %s exits with %d: %s", key, value, got.status, got.stderr)
			}
		}
	}
}

func TestWrongConfigurationSaysWhatToMend(t *testing.T) {
	rows := []struct{ name, text, want string }{
		{"a number for a truth", "# a\n# b\nscopes:\n  - name: a\n    description: A\n  - name: b\n    description: B\n    sensitive: 3\n",
			`line 8: scopes.sensitive: "3" is not a valid value: must be true or false`},
		{"a list for a truth", "scopes: [{name: a, description: A, sensitive: [true]}]\n", "line 1: scopes.sensitive: must be true or false"},
		{"a number for a duration", "limits: {}\nwebhooks: {first_retry: 10}\n",
			`line 2: webhooks.first_retry: "10" is not a valid value: must be a duration like "30s" or "5m"`},
		{"a name for a scope", "listen: 127.0.0.1:0\nscopes:\n  - profile\n",
			`line 3: scopes: "profile" is not a valid value: must have keys below it, of these: name, description, approval, consent, sensitive`},
		{"a name for the scopes", "scopes: profile\n", `line 1: scopes: "profile" is not a valid value: must be a list`},
		{"a value for a list", "scopes: []\ndefault_scope: profile\n", `line 2: default_scope: "profile" is not a valid value: must be a list of plain values`},
		{"a list in a list", "limits:\n  exempt:\n    - [127.0.0.1]\n", "line 3: limits.exempt: must be a list of plain values"},
		{"a value for keys", "brand: Tidal\n", `line 1: brand: "Tidal" is not a valid value: must have keys below it, of these: name, logo, accent, css`},
		{"keys for a value", "brand:\n  name: {first: Tidal}\n", "line 2: brand.name: must be a plain value"},
		{"keys for a flag", "\nlisten:\n  port: 80\n", "line 2: listen: must be a plain value or a list of them"},
		{"a number for the duration of a flag", "sign_up: true\naccess_token_lifetime: 3600\n",
			`line 2: access_token_lifetime: "3600" is not a valid value: must be a duration like "30s" or "5m"`},
		{"a flag with hyphens", "access-token-lifetime: 3600\n", `line 1: access-token-lifetime: "3600" is not a valid value`},
		{"two values for a flag", "\nissuer: [a, b]\n", "line 2: issuer: there must be one value"},
		{"a duration that is too short", "\nsession-lifetime: 1ms\n", "line 2: session-lifetime must be a second or more"},
		{"a replay window that is negative", "refresh_replay_window: -1s\n", "line 1: refresh_replay_window must not be negative"},
		{"a review that there is not", "review: strict\n", `line 1: review must be none or required, not "strict"`},
		{"an address without a port", "listen: here\n", `line 1: listen: "here" is not HOST:PORT`},
		{"an issuer with a path", "issuer: https://id.example.com/a\n", `line 1: issuer: "https://id.example.com/a" must be a scheme and a host alone`},
		{"no authorization at all", "\nauthorizations_per_application: 0\n", "line 2: authorizations_per_application must be one or more"},
		{"no time until a retry", "webhooks:\n  first_retry: 0s\n", "line 2: webhooks.first_retry must be between a millisecond and an hour"},
		{"years until a retry", "webhooks: {first_retry: 1000h}\n", "line 1: webhooks.first_retry must be between a millisecond and an hour"},
		{"an address that is none", "trusted_proxies:\n  - here\n", `line 1: trusted_proxies: "here" is not an address or a network`},
		{"an address on one link", "trusted_proxies: ['fe80::1%eth0']\n", `line 1: trusted_proxies: "fe80::1%eth0" is not an address or a network`},
		{"an address that is none, below a key", "limits:\n  exempt: [here]\n", `line 2: limits.exempt: "here" is not an address or a network`},
		{"a path that is not plain", "paths:\n  me: /me\n  token: x\n", `line 3: paths.token: "x" is not a plain path such as /oauth/token`},
		{"a path that is taken", "paths:\n  me: /settings\n", "line 2: paths.me: /settings is taken by /settings"},
		{"two paths that are the same", "\npaths: {me: /a, check: /a}\n", "line 2: paths: two of them are the same"},
		{"a default without scopes", "\ndefault_scope: [profile]\n", "line 2: default_scope: configure the scopes too"},
		{"a scope without a description", "scopes: [{name: a}]\n", "latchkey.yaml: scopes: a needs a description"},
		{"an unknown key", "\nnonsense: 1\n", "line 2: unknown key: nonsense"},
		{"a flag of another command", "\nname: Tidepool\n", "line 2: unknown key: name"},
		{"a flag of another command without a value", "now:\n", "line 1: unknown key: now"},
		{"a flag of the demo", "app_listen: 127.0.0.1:0\n", "line 1: unknown key: app_listen"},
		{"the file itself", "config: a.yaml\n", "line 1: unknown key: config"},
		{"an unknown key without a value", "nonsense:\n", "line 1: unknown key: nonsense"},
		{"an unknown key below a key", "brand:\n  name: A\n  colour: red\n", "line 3: unknown key: brand.colour"},
		{"a key twice", "listen: a\nlisten: b\n", "line 2: listen is configured twice"},
		{"a key twice, with a hyphen", "sign_up: true\nsign-up: true\n", "line 2: sign-up is configured twice"},
		{"a key twice below a key", "brand: {name: A}\nwebhooks:\n  first_retry: 1s\n  first_retry: 2s\n", "line 4: webhooks.first_retry is configured twice"},
		{"a list for the file", "- a\n", "line 1: must be keys with values"},
		{"a second document", "listen: 127.0.0.1:0\n---\nlisten: 127.0.0.1:1\n", "line 2: a second document begins here; there must be one"},
		{"a second document that is broken", "listen: 127.0.0.1:0\n---\nlisten: [\n", "is not valid YAML"},
		{"an alias of another kind", "brand: {name: &n Tidal}\nwebhooks:\n  first_retry: *n\n", `line 3: webhooks.first_retry: "Tidal" is not a valid value: must be a duration`},
		{"an alias of itself", "scopes: &s [*s]\n", "line 1: scopes: must have keys below it"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			file := write(t, row.text)
			got := call(t, map[string]string{"LATCHKEY_CONFIG": file}, "serve", "--data", t.TempDir(), "--metrics-listen", "nowhere")
			if got.status != 1 || !strings.HasPrefix(got.stderr, "latchkey: "+file) || !strings.Contains(got.stderr, row.want) {
				t.Errorf("exits with %d: %s\nwant %s", got.status, got.stderr, row.want)
			}
			if strings.Contains(got.stderr, "!!") || strings.Contains(got.stderr, "main.") {
				t.Errorf("stderr has names of the program: %s", got.stderr)
			}
		})
	}
}

func TestAliasesStandForWhatTheyRepeat(t *testing.T) {
	file := write(t, "trusted_proxies: &n [10.0.0.0/8]\nlimits:\n  exempt: *n\nwebhooks: {allow: [&one 192.0.2.1], first_retry: &t 5s}\nsession_lifetime: *t\naccess_token_lifetime: *t\nlisten: *one\n")
	c := &config{terminal: terminal{env: func(string) (string, bool) { return "", false }}, file: file}
	root := commands(c.terminal)
	settings, err := c.readFile(settingNames(root))
	if err != nil {
		t.Fatal(err)
	}
	if got := settings["trusted-proxies"].values; !slices.Equal(got, c.limits.Exempt) || len(got) != 1 || got[0] != "10.0.0.0/8" {
		t.Errorf("trusted_proxies is %q, limits.exempt is %q", got, c.limits.Exempt)
	}
	if got := settings["session-lifetime"].values; len(got) != 1 || got[0] != "5s" || c.webhooksFile.FirstRetry != 5*time.Second {
		t.Errorf("session_lifetime is %q, webhooks.first_retry is %v", got, c.webhooksFile.FirstRetry)
	}
	if got := settings["listen"].values; len(got) != 1 || got[0] != "192.0.2.1" {
		t.Errorf("listen is %q", got)
	}
}

func TestNetworksOfIPv4AreThatHoweverTheyAreWritten(t *testing.T) {
	got, err := new(config).prefixes("trusted_proxies", []string{"::ffff:10.0.0.1", "::ffff:10.1.2.3/104", "10.0.0.1", "fd00::/8", "::ffff:0:0/95"})
	if want := "[10.0.0.1/32 10.0.0.0/8 10.0.0.1/32 fd00::/8 ::fffe:0:0/95]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v (%v), want %s", got, err, want)
	}
}

func TestWhatIsAboutTheProgramNeedsNoConfiguration(t *testing.T) {
	env := map[string]string{"LATCHKEY_CONFIG": filepath.Join(t.TempDir(), "missing.yaml")}
	for _, args := range []string{"version", "help", "help account create", "completion bash", "__complete application s", "__completeNoDesc application s"} {
		if got := call(t, env, strings.Fields(args)...); got.status != 0 || got.stdout == "" {
			t.Errorf("%s exits with %d: %s", args, got.status, got.stderr)
		}
	}
	if got := call(t, env, "account", "list"); got.status != 1 || !strings.Contains(got.stderr, "missing.yaml") {
		t.Errorf("account list exits with %d: %s", got.status, got.stderr)
	}
}

func TestADataFolderHasAName(t *testing.T) {
	for name, args := range map[string][]string{"the command line": {"--data", ""}, "the file": {"--config", write(t, "data: \"\"\n")}} {
		want := map[string]int{"the command line": 2, "the file": 1}[name]
		if got := call(t, nil, append(args, "serve")...); got.status != want || !strings.Contains(got.stderr, "data must name a folder") {
			t.Errorf("%s: exits with %d: %s", name, got.status, got.stderr)
		}
	}
}

func TestAConfigurationMayBeEmpty(t *testing.T) {
	data := t.TempDir()
	makeAccount(t, data, "ada@example.com")
	for _, text := range []string{"", "# nothing\n", "---\n", "~\n", "{}\n", "listen:\nscopes:\nbrand:\n", "---\nlisten: 127.0.0.1:0\n...\n"} {
		if got := call(t, nil, "account", "list", "--data", data, "--config", write(t, text)); got.status != 0 {
			t.Errorf("%q exits with %d: %s", text, got.status, got.stderr)
		}
	}
}

func TestWhatOverridesTheFileIsNotItsFault(t *testing.T) {
	env := map[string]string{"LATCHKEY_CONFIG": write(t, "session_lifetime: 1h\n"), "LATCHKEY_SESSION_LIFETIME": "1ms"}
	got := call(t, env, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:99999")
	if got.status != 2 || got.stderr != "latchkey: session_lifetime must be a second or more\n" {
		t.Errorf("exits with %d: %s", got.status, got.stderr)
	}
	env["LATCHKEY_SESSION_LIFETIME"] = "3600"
	got = call(t, env, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:99999")
	if want := `LATCHKEY_SESSION_LIFETIME: "3600" is not a valid value: must be a duration`; got.status != 2 || !strings.Contains(got.stderr, want) {
		t.Errorf("exits with %d: %s", got.status, got.stderr)
	}
}

func TestTheServerKeyMayBeAVariable(t *testing.T) {
	good := strings.Repeat("0123456789abcdef", 4)
	for _, row := range []struct {
		key, want string
		status    int
		made      bool
	}{
		{good, "cannot listen", 1, false},
		{good + "\n", "cannot listen", 1, false},
		{"", "cannot listen", 1, true},
		{good[1:], "LATCHKEY_SERVER_KEY: a server key is 64 hexadecimal characters", 2, false},
	} {
		data := t.TempDir()
		got := call(t, map[string]string{"LATCHKEY_SERVER_KEY": row.key}, "serve", "--data", data, "--listen", "127.0.0.1:99999")
		if got.status != row.status || !strings.Contains(got.stderr, row.want) || strings.Contains(got.stderr, good[1:]) {
			t.Errorf("%q: exits with %d: %s", row.key, got.status, got.stderr)
		}
		if _, err := os.Stat(filepath.Join(data, "server.key")); (err == nil) != row.made {
			t.Errorf("%q: the file with the key: %v", row.key, err)
		}
	}
}
