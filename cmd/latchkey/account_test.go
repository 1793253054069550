package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
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
