package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
			if got.status != 2 || !strings.Contains(got.stderr, key+" must be a second or more") {
				t.Errorf("%s: %s exits with %d: %s", key, value, got.status, got.stderr)
			}
		}
	}
}
