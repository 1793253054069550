package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The peers answer what they are asked, in each workload.
func TestPeers(t *testing.T) {
	t.Chdir("..")
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			if err := p.installed(); err != nil {
				t.Skipf("run make bench-peers to install it: %v", err)
			}
			server, s, stop, err := p.prepared(chained + 10)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := stop(); err != nil {
					t.Error(err)
				}
			}()
			for _, w := range s.workloads(p.paths) {
				askTimes(t, server.address, w, 5)
			}
			// A revocation is answered in the same way whatever it did.
			s.Access = s.Refresh
			s.order = []int{0, 1, 2, 3, 4}
			c := s.introspect(p.paths.introspect)(0)
			if err := askOnce(t, server.address, c); err != errAnswer {
				t.Errorf("a revoked token is introspected: %v", err)
			}
		})
	}
}

func askTimes(t *testing.T, address string, w workload, times int) {
	t.Helper()
	c := w.client(0)
	for range times {
		if err := askOnce(t, address, c); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
	}
}

func askOnce(t *testing.T, address string, of client) error {
	t.Helper()
	c, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	status, body, err := c.exchange(of.next())
	if err != nil {
		t.Fatal(err)
	}
	return of.accept(status, body)
}

// What does not fit into the requests is noticed before they are sent.
func TestStockOfOtherTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stock.json")
	if err := os.WriteFile(file, []byte(`{"access": ["short"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readStock(file); err == nil {
		t.Error("a token of another length was taken")
	}
}
