package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// TestWrongUsageIsSeenBeforeTheDataIs has no data to find: what reaches it fails with 1.
func TestWrongUsageIsSeenBeforeTheDataIs(t *testing.T) {
	rows := []struct {
		name, want string
		env        map[string]string
		args       []string
	}{
		{"a negative limit", "limit must be from 1 to 1000000", nil, []string{"authorization", "list", "--limit", "-1"}},
		{"a limit of nothing", "limit must be from 1 to 1000000", nil, []string{"authorization", "list", "--limit", "0"}},
		{"a huge limit", "limit must be from 1 to 1000000", nil, []string{"authorization", "list", "--limit", "1000001"}},
		{"a limit that is no number of this machine", "must be an integer", nil, []string{"authorization", "list", "--limit", "99999999999999999999"}},
		{"an account that is no text", `the argument "\xff" is not UTF-8 text`, nil, []string{"account", "disable", "\xff"}},
		{"an account with a NUL", `the argument "a\x00" is not UTF-8 text`, nil, []string{"account", "disable", "a\x00"}},
		{"a file without a name", "an argument is empty", nil, []string{"backup", ""}},
		{"an application without a name", "an argument is empty", nil, []string{"application", "delete", ""}},
		{"the authorizations of no account", "the value of --account is empty", nil, []string{"authorization", "list", "--account", ""}},
		{"the authorizations of no application", "the value of --application is empty", nil, []string{"authorization", "list", "--application", ""}},
		{"a reason that is no text", "the value of --reason is not UTF-8 text", nil, []string{"application", "suspend", "x", "--reason", "a\xff"}},
		{"an issuer in a variable that is no text", "the value of --issuer is not UTF-8 text", map[string]string{"LATCHKEY_ISSUER": "a\xff"}, []string{"serve"}},
		{"one of several values that is no text", "the value of --redirect-uri is not UTF-8 text", nil,
			[]string{"application", "create", "--owner", "a", "--name", "b", "--redirect-uri", "https://a.example/", "--redirect-uri", "\xff"}},
		{"help about nothing", `there is no help about "nope"`, nil, []string{"help", "nope"}},
		{"help about nothing of a command", `there is no help about "account nope"`, nil, []string{"help", "account", "nope"}},
		{"a shell that is not known", `unknown command "csh"`, nil, []string{"completion", "csh"}},
		{"no shell", "say what to do", nil, []string{"completion"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := call(t, row.env, append(row.args, "--data", t.TempDir())...)
			if got.status != 2 || !strings.Contains(got.stderr, row.want) || got.stdout != "" {
				t.Errorf("exits with %d: %s%s\nwant %s", got.status, got.stdout, got.stderr, row.want)
			}
		})
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	data := t.TempDir()
	makeAccount(t, data, "ada@example.com")
	for _, args := range [][]string{{"version"}, {"completion", "bash"}, {"account", "list"}, {"account", "list", "--json"}, {"account", "promote", "ada@example.com"}} {
		full, out := io.Pipe()
		full.Close()
		var stderr bytes.Buffer
		status := run(t.Context(), append(args, "--data", data), terminal{out: out, err: &stderr, env: func(string) (string, bool) { return "", false }})
		if want := "latchkey: " + io.ErrClosedPipe.Error() + "\n"; status != 1 || stderr.String() != want {
			t.Errorf("%v: exits with %d: %s", args, status, stderr.String())
		}
	}
}

func TestWhatACommandChangesIsNotTakenFromTheEnvironment(t *testing.T) {
	data := t.TempDir()
	a := makeApplication(t, data)
	env := map[string]string{"LATCHKEY_DATA": data, "LATCHKEY_NAME": "Other", "LATCHKEY_SITE": "https://other.example", "LATCHKEY_NOW": "true", "LATCHKEY_JSON": "true"}
	if got := call(t, env, "application", "update", a.ClientID, "--privacy", "https://tidepool.example/privacy"); got.status != 0 ||
		!strings.Contains(got.stdout, "Tidepool") || !strings.Contains(got.stdout, "/privacy") || strings.Contains(got.stdout, "ther") {
		t.Errorf("update exits with %d: %s%s", got.status, got.stdout, got.stderr)
	}
	if got := call(t, env, "application", "rotate-secret", a.ClientID); got.status != 0 {
		t.Fatal(got.stderr)
	}
	shown := call(t, nil, "application", "show", a.ClientID, "--data", data, "--json")
	if err := json.Unmarshal([]byte(shown.stdout), &a); err != nil || a.PreviousEndsAt == nil || time.Until(*a.PreviousEndsAt) < time.Hour {
		t.Errorf("the old secret ends too early: %s%s", shown.stdout, shown.stderr)
	}
}
