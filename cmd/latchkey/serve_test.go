package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestAServerThatIsToldToEndBeforeItServesHasNotFailed(t *testing.T) {
	for _, place := range []string{"--data=" + t.TempDir(), "--database=postgres://nobody@127.0.0.1:1/nothing"} {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		var stderr bytes.Buffer
		status := run(ctx, []string{"serve", "--listen", "127.0.0.1:0", place},
			terminal{out: io.Discard, err: &stderr, env: func(string) (string, bool) { return "", false }})
		if status != 0 || !strings.Contains(stderr.String(), `"shutting down before anything was served"`) {
			t.Errorf("%s: exits with %d: %s", place, status, stderr.String())
		}
	}
}
