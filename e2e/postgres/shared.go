package postgres

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the server of Database.
var shared struct {
	sync.Mutex
	*Server
}

// Database makes an empty database on a server that the tests of a package share: to start one
// takes longer than most of them. Those that stop their server, or keep it busy, Start their own.
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.Server == nil {
		s, err := New()
		if err != nil {
			t.Fatal(err)
		}
		shared.Server = s
	}
	return shared.Server.Database(t)
}

// Run runs the tests of a package and ends the server that they shared.
func Run(m *testing.M) (status int) {
	status = m.Run()
	if shared.Server != nil {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}
