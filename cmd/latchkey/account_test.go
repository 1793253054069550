package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadingAPasswordFromStandardInputCanBeInterrupted(t *testing.T) {
	in, silent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// A test that fails must not wait for the reader.
	time.AfterFunc(10*time.Second, func() { silent.Close() })
	t.Cleanup(func() { silent.Close() })
	data := filepath.Join(t.TempDir(), "data")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	var stderr bytes.Buffer
	status := run(ctx, []string{"account", "create", "--data", data, "--email", "ada@example.com", "--name", "Ada", "--password-stdin"},
		terminal{in: in, out: io.Discard, err: &stderr, env: func(string) (string, bool) { return "", false }})
	if status != 1 || stderr.String() != "latchkey: interrupted\n" {
		t.Errorf("exits with %d: %s", status, stderr.String())
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data folder is there: %v", err)
	}
}

func TestAPasswordFromStandardInputIsOneLineOfText(t *testing.T) {
	data := t.TempDir()
	makeAccount(t, data, "ada@example.com")
	for input, want := range map[string]int{
		"a pass phrase": 0, "a pass phrase\r\n": 0, "a pass phrase\n\n": 0, "eine süße Phrase": 0,
		"a pass phrase\na pass phrase\n": 1, "a pass\rphrase": 1, "a pass\x00phrase": 1, "a pass phrase\xff": 1,
	} {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		var stderr bytes.Buffer
		status := run(t.Context(), []string{"account", "set-password", "ada@example.com", "--data", data, "--password-stdin"},
			terminal{in: in, out: io.Discard, err: &stderr, env: func(string) (string, bool) { return "", false }})
		if status != want || want != 0 && !strings.Contains(stderr.String(), "one line of UTF-8 text") {
			t.Errorf("%q exits with %d, want %d: %s", input, status, want, stderr.String())
		}
	}
}

func TestACommandTellsAllThatIsWrongWithItsInput(t *testing.T) {
	data := t.TempDir()
	makeAccount(t, data, "ada@example.com")
	for want, args := range map[string][]string{
		"email: Enter an email address, such as ada@example.com. name: Enter a name. password: Use at least 8 characters": {
			"account", "create", "--email", "ada", "--name", " ", "--password-stdin"},
		"Enter a name": {"application", "create", "--owner", "ada@example.com", "--name", " "},
		"name: Enter a name. site: Enter an address that begins with https://": {
			"application", "create", "--owner", "ada@example.com", "--name", " ", "--site", "http://ada.example/"},
	} {
		if got := call(t, nil, append(args, "--data", data)...); got.status != 1 || got.stderr != "latchkey: "+want+"\n" {
			t.Errorf("exits with %d: %s", got.status, got.stderr)
		}
	}
}
