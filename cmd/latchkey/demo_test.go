package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tryDemo runs a demo until it can be used, then stops it, and returns what it printed.
func tryDemo(t *testing.T, env map[string]string, flags ...string) outcome {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	printed, out := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		args := append([]string{"demo", "--app-listen", "127.0.0.1:0"}, flags...)
		status <- run(ctx, args, terminal{out: out, err: &stderr, env: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		}})
		out.Close()
	}()
	var lines strings.Builder
	for s := bufio.NewScanner(printed); s.Scan(); {
		lines.WriteString(s.Text() + "\n")
		if strings.Contains(s.Text(), "Ctrl-C ends both") {
			stop()
		}
	}
	return outcome{lines.String(), stderr.String(), <-status}
}

// makeAccount creates an account in a data folder, which it begins.
func makeAccount(t *testing.T, data, email string) {
	t.Helper()
	input := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(input, []byte("a pass phrase of hers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var stderr bytes.Buffer
	nothing := func(string) (string, bool) { return "", false }
	if status := run(t.Context(), []string{"account", "create", "--data", data, "--email", email, "--name", "Ada", "--password-stdin"},
		terminal{in: in, out: io.Discard, err: &stderr, env: nothing}); status != 0 {
		t.Fatalf("account create exits with %d: %s", status, stderr.String())
	}
}

func TestADemoThatIsToldToEndBeforeItServesHasNotFailed(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var stderr bytes.Buffer
	status := run(ctx, []string{"demo"}, terminal{out: io.Discard, err: &stderr, env: func(string) (string, bool) { return "", false }})
	if status != 0 || !strings.Contains(stderr.String(), `"shutting down before anything was served"`) {
		t.Errorf("exits with %d: %s", status, stderr.String())
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v: %v", left, err)
	}
}

func TestTheDemoLeavesWhatTheConfigurationNamesAlone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	folder := t.TempDir()
	key, data := filepath.Join(folder, "key"), filepath.Join(folder, "data")
	settings := map[string]string{
		"data": data, "server_key_file": key, "database": "postgres://nobody@127.0.0.1:1/nothing",
		"issuer": "https://id.example.com", "listen": "127.0.0.1:99999", "metrics_listen": "127.0.0.1:99999",
	}
	var file strings.Builder
	env := map[string]string{}
	for name, value := range settings {
		file.WriteString(name + ": " + value + "\n")
		env["LATCHKEY_"+strings.ToUpper(name)] = value
	}
	for where, env := range map[string]map[string]string{
		"the file": {"LATCHKEY_CONFIG": write(t, file.String())}, "the environment": env,
	} {
		t.Run(where, func(t *testing.T) {
			got := tryDemo(t, env)
			if got.status != 0 || !strings.HasPrefix(got.stdout, "listening on http://127.0.0.1:") {
				t.Errorf("exits with %d: %s%s", got.status, got.stdout, got.stderr)
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("the demo made %v: %v", left, err)
			}
		})
	}
}

func TestTheDemoServesMetricsWhereItIsTold(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if got := tryDemo(t, nil, "--metrics-listen", "127.0.0.1:0"); got.status != 0 || !strings.Contains(got.stderr, "serving metrics") {
		t.Errorf("exits with %d: %s", got.status, got.stderr)
	}
	if got := tryDemo(t, nil, "--metrics-listen", "127.0.0.1:99999"); got.status != 1 || !strings.Contains(got.stderr, "cannot listen on 127.0.0.1:99999 for metrics") {
		t.Errorf("exits with %d: %s", got.status, got.stderr)
	}
}

func TestTheDemoRefusesDataThatPeopleUse(t *testing.T) {
	for _, email := range []string{demoEmail, "grace@example.com"} {
		t.Run(email, func(t *testing.T) {
			data := t.TempDir()
			makeAccount(t, data, email)
			made := call(t, nil, "application", "create", "--data", data, "--owner", email, "--name", demoApplication,
				"--redirect-uri", "https://tidepool.example/callback", "--json")
			if made.status != 0 {
				t.Fatalf("application create exits with %d: %s", made.status, made.stderr)
			}
			look := func() string {
				return call(t, nil, "application", "list", "--data", data, "--json").stdout + call(t, nil, "account", "list", "--data", data, "--json").stdout
			}
			before := look()
			got := tryDemo(t, nil, "--data", data)
			if got.status != 1 || got.stdout != "" || !strings.Contains(got.stderr, "this data has accounts that no demo made") {
				t.Errorf("exits with %d: %s%s", got.status, got.stdout, got.stderr)
			}
			if after := look(); after != before {
				t.Errorf("there was\n%s\nand now is\n%s", before, after)
			}
		})
	}
}

func TestTheDemoFindsWhatItMadeUnderAnyName(t *testing.T) {
	data := t.TempDir()
	first := tryDemo(t, nil, "--data", data)
	if first.status != 0 {
		t.Fatalf("exits with %d: %s", first.status, first.stderr)
	}
	id := strings.Fields(strings.Split(call(t, nil, "application", "list", "--data", data).stdout, "\n")[1])[0]
	if got := call(t, nil, "application", "update", id, "--data", data, "--name", "Renamed"); got.status != 0 {
		t.Fatal(got.stderr)
	}
	got := tryDemo(t, nil, "--data", data)
	if got.status != 0 || !strings.Contains(got.stdout, "the one of the first run") || !strings.Contains(got.stdout, demoEmail) {
		t.Errorf("the second run exits with %d: %s%s", got.status, got.stdout, got.stderr)
	}
	for _, kind := range []string{"application", "account"} {
		if list := call(t, nil, kind, "list", "--data", data).stdout; strings.Count(list, "\n") != 2 {
			t.Errorf("there is not one %s:\n%s", kind, list)
		}
	}

	if got := call(t, nil, "application", "delete", id, "--data", data); got.status != 0 {
		t.Fatal(got.stderr)
	}
	if got := tryDemo(t, nil, "--data", data); got.status != 0 {
		t.Errorf("exits with %d after its application was deleted: %s", got.status, got.stderr)
	}
}

func TestTheDemoNeedsTheScopeThatItAsksFor(t *testing.T) {
	for _, row := range []struct {
		name, scopes string
		status       int
		want         string
	}{
		{"which is not configured", "[{name: events, description: See your events}]", 1, "line 1: scopes: profile is missing"},
		{"which an administrator has to allow", "[{name: profile, description: See who you are, approval: administrator}]", 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := tryDemo(t, map[string]string{"LATCHKEY_CONFIG": write(t, "scopes: "+row.scopes+"\n")})
			if got.status != row.status || (got.stdout == "") == (row.status == 0) || !strings.Contains(got.stderr, row.want) {
				t.Errorf("exits with %d: %s%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}
