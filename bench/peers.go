package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// peer is another server, which gets the same requests on its own paths.
type peer struct {
	name  string
	paths paths
	// perSecond is more than it can do, from which follows how much is prepared.
	perSecond int
	// installed fails with what is missing.
	installed func() error
	// start prepares count authorizations of each kind, and has their tokens written
	// to a file. What it returns last ends the server and all that it needs.
	start func(file string, count int) (*process, func() error, error)
}

// peersFolder is where the peers' programs are, from the root of the repository.
const peersFolder = "bench/peers"

const (
	// chained is how many of the last rows are kept for chains of refreshes.
	chained = 1000
	// breakIn is how long each workload goes on before it is measured: until then Ruby
	// opens its connections to the database, and node compiles what runs often.
	breakIn = time.Second
)

func peers() []peer {
	return []peer{
		{
			// It has no endpoint that only checks a token.
			name:      "oidc-provider",
			paths:     paths{token: "/token", revoke: "/token/revocation", introspect: "/token/introspection", me: "/me"},
			perSecond: 8000, installed: oidcProviderInstalled, start: startOIDCProvider,
		},
		{
			// Who somebody is, an application would add to it.
			name:      "doorkeeper",
			paths:     paths{token: "/oauth/token", revoke: "/oauth/revoke", introspect: "/oauth/introspect", check: "/oauth/token/info"},
			perSecond: 3000, installed: doorkeeperInstalled, start: startDoorkeeper,
		},
	}
}

func oidcProviderInstalled() error {
	if _, err := exec.LookPath("node"); err != nil {
		return errors.New("node is not installed")
	}
	_, err := os.Stat(filepath.Join(peersFolder, "oidc-provider", "node_modules", "oidc-provider"))
	return err
}

func startOIDCProvider(file string, count int) (*process, func() error, error) {
	p, err := start("node", filepath.Join(peersFolder, "oidc-provider", "server.mjs"), file, strconv.Itoa(count))
	if err != nil {
		return nil, nil, err
	}
	return p, p.stop, nil
}

func doorkeeperInstalled() error {
	out, err := exec.Command("ruby", "-e", "%w[doorkeeper rails puma pg].each { |name| gem name }").CombinedOutput()
	if err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		return fmt.Errorf("%w %s", err, first)
	}
	return nil
}

// startDoorkeeper gives it a new PostgreSQL, as Latchkey gets one.
func startDoorkeeper(file string, count int) (*process, func() error, error) {
	database, err := postgres.New()
	if err != nil {
		return nil, nil, err
	}
	address, err := database.Create()
	if err != nil {
		return nil, nil, errors.Join(err, database.Close())
	}
	p, err := start("ruby", filepath.Join(peersFolder, "doorkeeper", "server.rb"), file, strconv.Itoa(count), address)
	if err != nil {
		return nil, nil, errors.Join(err, database.Close())
	}
	p.helpers = database.PID()
	return p, func() error { return errors.Join(p.stop(), database.Close()) }, nil
}

// peers measures the peers that are installed, in the way of the engines. What was
// measured before an error is returned with it.
func (b *bench) peers(ctx context.Context, o options) ([]*engineReport, error) {
	var reports []*engineReport
	var failed error
	for _, p := range peers() {
		if err := p.installed(); err != nil {
			b.told("%s is skipped, run make bench-peers to install it: %v", p.name, err)
			continue
		}
		report := &engineReport{Engine: p.name}
		if err := b.peer(ctx, o, p, report); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
		}
		if len(report.Measurements) > 0 {
			reports = append(reports, report)
		}
	}
	return reports, failed
}

func (b *bench) peer(ctx context.Context, o options, p peer, report *engineReport) (err error) {
	// The code exchange uses most: at half load half as much as else.
	loads := float64(len(o.connections)-1) + 1.5*float64(o.rounds)
	seconds := loads*(o.length+warm).Seconds() + breakIn.Seconds()
	count := int(seconds*float64(p.perSecond)) + chained
	server, s, stop, err := p.prepared(count)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	b.told("%s: %d authorizations of each kind are prepared; %s", p.name, count, s.Version)
	for _, w := range o.chosen(s.workloads(p.paths)) {
		clients := make([]client, o.connections[len(o.connections)-1])
		for i := range clients {
			clients[i] = w.client(i)
		}
		if _, err := closed(server.addresses(), clients, 0, breakIn); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", w.name, err), server.died())
		}
		measurements, err := b.measure(ctx, server, w, o.connections)
		report.Measurements = append(report.Measurements, measurements...)
		if err != nil {
			return err
		}
	}
	return nil
}

// prepared starts a peer and reads what it prepared.
func (p peer) prepared(count int) (*process, *stock, func() error, error) {
	folder, err := os.MkdirTemp("", "latchkey-bench-")
	if err != nil {
		return nil, nil, nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "stock.json")
	server, stop, err := p.start(file, count)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := readStock(file)
	if err != nil {
		return nil, nil, nil, errors.Join(err, stop())
	}
	return server, s, stop, nil
}

// stock is what a peer has prepared: tokens in the order of their making, the n-th of
// them issued to the n-th client, over and over.
type stock struct {
	Version string `json:"version"`
	Clients []struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	} `json:"clients"`
	RedirectURI string   `json:"redirect_uri"`
	Verifier    string   `json:"verifier"`
	Access      []string `json:"access"`
	Refresh     []string `json:"refresh"`
	Codes       []string `json:"codes"`

	// order is a shuffle of the rows that are not kept for chains.
	order []int
	// chains, codes and revoked are how many of each kind were handed out.
	chains, codes, revoked atomic.Int64
}

func readStock(file string) (*stock, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &stock{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, err
	}
	for _, tokens := range [][]string{s.Access, s.Refresh, s.Codes} {
		for _, token := range tokens {
			if len(token) != len(placeholder) {
				return nil, fmt.Errorf("a token of %d characters does not fit into the requests", len(token))
			}
		}
	}
	s.order = rand.New(rand.NewPCG(1, 2)).Perm(len(s.Access) - chained)
	return s, nil
}

// workloads have the names of Latchkey's, to be compared with them.
func (s *stock) workloads(p paths) []workload {
	zipf := fmt.Sprintf("%d living, by a Zipf law with s = 1.1, the popular ones scattered", len(s.order))
	all := []workload{
		{forCredentials, "adds rows", s.credentials(p.token)},
		{forChain, "each connection goes on with its own row", s.chain(p.token)},
		{forCode, "pending rows, in the order of their ids", s.exchange(p.token)},
		{forIntrospectZipf, zipf, s.introspect(p.introspect)},
	}
	if p.check != "" {
		all = append(all, workload{forCheckZipf, zipf, s.bearer(p.check, holds(`"profile"`))})
	}
	if p.me != "" {
		all = append(all, workload{forMeZipf, zipf, s.bearer(p.me, holds(`"preferred_username":"person`))})
	}
	rows := fmt.Sprintf("%d living, each once, in the order of their ids", len(s.order))
	return append(all, workload{forRevokeInOrder, rows, s.revoke(p.revoke)})
}

// templates make a form for each client, with its credentials, as RFC 6749 has it.
func (s *stock) templates(path string, pairs ...string) []*template {
	all := make([]*template, len(s.Clients))
	for i, c := range s.Clients {
		values := url.Values{"client_id": {c.ID}, "client_secret": {c.Secret}}
		for j := 0; j < len(pairs); j += 2 {
			values.Set(pairs[j], pairs[j+1])
		}
		body := values.Encode()
		all[i] = newTemplate(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body))
	}
	return all
}

// put is a template's request with a token in its place.
func (t *template) put(token string) []byte {
	copy(t.raw[t.at:], token)
	return t.raw
}

func (s *stock) credentials(path string) func(int) client {
	return func(connection int) client {
		request := s.templates(path, "grant_type", "client_credentials", "scope", "profile")[connection%len(s.Clients)].raw
		return client{func() []byte { return request }, issued}
	}
}

// chain takes rows from the end.
func (s *stock) chain(path string) func(int) client {
	return func(int) client {
		row := len(s.Refresh) - int(s.chains.Add(1))
		t := s.templates(path, "grant_type", "refresh_token", "refresh_token", placeholder)[row%len(s.Clients)]
		t.put(s.Refresh[row])
		key := `"refresh_token":"`
		return client{func() []byte { return t.raw }, func(status int, body []byte) error {
			if err := issued(status, body); err != nil {
				return err
			}
			_, token, found := strings.Cut(string(body), key)
			if !found || len(token) < len(placeholder) {
				return errAnswer
			}
			t.put(token[:len(placeholder)])
			return nil
		}}
	}
}

func (s *stock) exchange(path string) func(int) client {
	return func(int) client {
		templates := s.templates(path, "grant_type", "authorization_code", "code", placeholder, "redirect_uri", s.RedirectURI, "code_verifier", s.Verifier)
		return client{func() []byte {
			row := int(s.codes.Add(1)) - 1
			if row >= len(s.Codes) {
				return nil
			}
			return templates[row%len(templates)].put(s.Codes[row])
		}, issued}
	}
}

func (s *stock) introspect(path string) func(int) client {
	return func(connection int) client {
		templates, draw := s.templates(path, "token", placeholder), s.zipf(connection)
		return client{func() []byte {
			row := draw()
			return templates[row%len(templates)].put(s.Access[row])
		}, holds(`"active":true`)}
	}
}

func (s *stock) bearer(path string, accept func(int, []byte) error) func(int) client {
	return func(connection int) client {
		t, draw := newTemplate(get(path)), s.zipf(connection)
		return client{func() []byte { return t.put(s.Access[draw()]) }, accept}
	}
}

func (s *stock) revoke(path string) func(int) client {
	return func(int) client {
		templates := s.templates(path, "token", placeholder)
		return client{func() []byte {
			row := int(s.revoked.Add(1)) - 1
			if row >= len(s.order) {
				return nil
			}
			return templates[row%len(templates)].put(s.Refresh[row])
		}, ok}
	}
}

func (s *stock) zipf(connection int) func() int {
	z := rand.NewZipf(rand.New(rand.NewPCG(3, uint64(connection))), 1.1, 1, uint64(len(s.order)-1))
	return func() int { return s.order[z.Uint64()] }
}
