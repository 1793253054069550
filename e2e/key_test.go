package e2e_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestAnotherServerKeyIsToldOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *server) {
		checkKeyTold(t, s, 0) // a first start
		restart := func() {
			s.terminate(t)
			s.again(t, config)
		}
		restart()
		checkKeyTold(t, s, 0)
		file := filepath.Join(s.data, "server.key")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		restart()
		checkKeyTold(t, s, 1)
		restart()
		checkKeyTold(t, s, 0)
		if s.place != nil {
			other := newServer(t, s.place...) // whose data folder gets a key of its own
			other.serve(t, config)
			checkKeyTold(t, other, 1)
		}
	})
}

func checkKeyTold(t *testing.T, s *server, want int) {
	t.Helper()
	s.logged(t, "serving", "issuer") // what was to be told was told before
	log := s.stderr.Bytes()
	if told := bytes.Count(log, []byte("the server key is not the one")); told != want {
		t.Errorf("another server key is told of %d times, want %d:\n%s", told, want, log)
	}
	key, err := os.ReadFile(filepath.Join(s.data, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(log, bytes.TrimSpace(key)) {
		t.Error("the log has the server key")
	}
}
