package main

import (
	"database/sql"
	"encoding/json"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/store"
)

// makeApplication registers Ada's Tidepool in a data folder, which it begins.
func makeApplication(t *testing.T, data string) applicationView {
	t.Helper()
	makeAccount(t, data, "ada@example.com")
	made := call(t, nil, "application", "create", "--data", data, "--owner", "ada@example.com", "--name", "Tidepool",
		"--redirect-uri", "https://tidepool.example/callback", "--json")
	var a applicationView
	if err := json.Unmarshal([]byte(made.stdout), &a); err != nil {
		t.Fatalf("application create prints %s%s", made.stdout, made.stderr)
	}
	return a
}

func TestANewSecretIsPrintedWhateverFailsAfterIt(t *testing.T) {
	for _, row := range []struct {
		name string
		hurt func(t *testing.T, data string)
		want string
	}{
		{"an application that goes at once", func(t *testing.T, data string) {
			db, err := sql.Open("sqlite", filepath.Join(data, store.DatabaseFile))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`create trigger gone after update on applications begin delete from applications; end`); err != nil {
				t.Fatal(err)
			}
		}, "the secret is replaced, but the application cannot be read again"},
		{"a server that does not confirm", func(t *testing.T, data string) {
			deaf, err := net.Listen("unix", filepath.Join(data, "latchkey.sock"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { deaf.Close() })
			go func() {
				for conn, err := deaf.Accept(); err == nil; conn, err = deaf.Accept() {
					conn.Close()
				}
			}()
		}, "the change is made, but the server did not confirm"},
	} {
		t.Run(row.name, func(t *testing.T) {
			data := t.TempDir()
			a := makeApplication(t, data)
			row.hurt(t, data)
			got := call(t, nil, "application", "rotate-secret", a.ClientID, "--data", data)
			secret := regexp.MustCompile(`(?m)^client_secret +(\S{20,}) `).FindStringSubmatch(got.stdout)
			if got.status != 1 || secret == nil || secret[1] == a.ClientSecret || !strings.Contains(got.stderr, row.want) {
				t.Errorf("exits with %d: %s%s", got.status, got.stdout, got.stderr)
			}
		})
	}
}

func TestTextSaysWhatJSONSaysOfSuspensionsAndOldSecrets(t *testing.T) {
	data := t.TempDir()
	a := makeApplication(t, data)
	look := func(args ...string) string {
		t.Helper()
		got := call(t, nil, append([]string{"application"}, append(args, a.ClientID, "--data", data)...)...)
		if got.status != 0 {
			t.Fatalf("%v exits with %d: %s", args, got.status, got.stderr)
		}
		return got.stdout
	}
	if plain := look("show"); strings.Contains(plain, "suspended_reason") || strings.Contains(plain, "previous_secret_ends_at") {
		t.Errorf("it was not suspended, and has one secret:\n%s", plain)
	}
	ends := regexp.MustCompile(`(?m)^previous_secret_ends_at +20\d\d-\S+Z$`)
	if rotated := look("rotate-secret"); !ends.MatchString(rotated) {
		t.Errorf("when the old secret ends is not in\n%s", rotated)
	}
	look("suspend", "--reason", "It sends spam.")
	if shown := look("show"); !ends.MatchString(shown) || !regexp.MustCompile(`(?m)^suspended_reason +It sends spam\.$`).MatchString(shown) {
		t.Errorf("the reason or the end of the old secret is not in\n%s", shown)
	}
}

func TestAReasonStandsUntilThereIsAnother(t *testing.T) {
	data := t.TempDir()
	a := makeApplication(t, data)
	for _, step := range []struct{ command, reason, want string }{
		{"suspend", "It sends spam.", "It sends spam."},
		{"suspend", "", "It sends spam."},
		{"suspend", "It was sold.", "It was sold."},
		{"resume", "", ""},
		{"suspend", "", ""},
	} {
		args := []string{"application", step.command, a.ClientID, "--data", data}
		if step.reason != "" {
			args = append(args, "--reason", step.reason)
		}
		if got := call(t, nil, args...); got.status != 0 {
			t.Fatalf("%s exits with %d: %s", step.command, got.status, got.stderr)
		}
		shown := call(t, nil, "application", "show", a.ClientID, "--data", data, "--json")
		var v applicationView
		if err := json.Unmarshal([]byte(shown.stdout), &v); err != nil || v.Reason != step.want {
			t.Errorf("after %s for %q the reason is %q; want %q (%v)", step.command, step.reason, v.Reason, step.want, err)
		}
	}
}

func TestAMarkThatIsNotThereCannotBeTaken(t *testing.T) {
	data := t.TempDir()
	a := makeApplication(t, data)
	change := func(what string) outcome { return call(t, nil, "application", what, a.ClientID, "--data", data) }
	if got := change("unverify"); got.status != 1 || got.stderr != "latchkey: nothing was changed: the application is not verified\n" || got.stdout != "" {
		t.Errorf("exits with %d: %s%s", got.status, got.stdout, got.stderr)
	}
	for _, what := range []string{"verify", "unverify"} {
		if got := change(what); got.status != 0 {
			t.Errorf("%s exits with %d: %s", what, got.status, got.stderr)
		}
	}
}
