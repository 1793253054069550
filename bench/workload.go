package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/latchkey/latchkey/internal/oauth"
)

// workload is one kind of request, or a mix.
type workload struct {
	name string
	// rows tells which rows it draws and in which order.
	rows string
	// client makes the one of a connection; it goes on where it stopped in every
	// later load.
	client func(connection int) client
}

// paths are where a server is asked for what.
type paths struct{ token, revoke, introspect, check, me string }

var latchkeyPaths = paths{
	token: "/irk/oauth/token", revoke: "/irk/oauth/revoke", introspect: "/irk/oauth/introspect",
	check: "/irk/oauth/check?scope=profile", me: "/irk/api/v1/me",
}

// spare is how many living rows are kept for chains of refreshes, and for
// revocations in the mix.
const spare = 100_000

// workloads of a filled store. drawn is how many living rows they draw from; behind
// these are the spare ones.
func workloads(r rows, drawn int) []workload {
	w := &draws{rows: r, drawn: drawn, order: rand.New(rand.NewPCG(1, 2)).Perm(drawn)}
	w.spare.Store(int64(drawn))
	w.code.Store(int64(r.living))
	zipf, uniform := fmt.Sprintf("%d living, by a Zipf law with s = 1.1, the popular ones scattered", drawn), fmt.Sprintf("%d living, each as likely", drawn)
	return []workload{
		{"client_credentials", "adds rows", w.credentials},
		{"refresh, own chain", "each connection goes on with its own row", w.chain},
		{"code exchange, in id order", "pending rows, in the order of their ids", w.exchange},
		{"introspect, Zipf", zipf, w.reading(w.introspect, w.zipf)},
		{"check, Zipf", zipf, w.reading(w.check, w.zipf)},
		{"me, Zipf", zipf, w.reading(w.me, w.zipf)},
		{"introspect, uniform", uniform, w.reading(w.introspect, w.uniform)},
		{"check, uniform", uniform, w.reading(w.check, w.uniform)},
		{"me, uniform", uniform, w.reading(w.me, w.uniform)},
		{"mix", "80 % checks by the Zipf law, 10 % refreshes of an own chain, 5 % client_credentials, 4 % code exchanges in id order, 1 % revocations in id order", w.mix},
		{"refresh, random", fmt.Sprintf("%d living, each once, shuffled", drawn), w.refreshRandom},
		{"revoke, in id order", fmt.Sprintf("%d living, each once, in the order of their ids", drawn), w.revokeInOrder},
		{"revoke, random", fmt.Sprintf("%d living, each once, shuffled, without those that are revoked already", drawn), w.revokeRandom},
	}
}

// draws hands out rows to the clients of all connections.
type draws struct {
	rows  rows
	drawn int
	// order is a shuffle of the drawn rows.
	order []int
	// spare, code, refreshed and revoked are the next to be used of each kind.
	spare, code, refreshed, revoked, revokedRandom atomic.Int64
}

// exchangeOf is a client that is made of two functions.
type exchangeOf struct {
	request func() []byte
	answer  func(status int, body []byte) error
}

func (e exchangeOf) next() []byte                         { return e.request() }
func (e exchangeOf) accept(status int, body []byte) error { return e.answer(status, body) }

// template is a request with a place for a token.
type template struct {
	raw []byte
	at  int
}

const placeholder = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"

func newTemplate(raw []byte) *template {
	return &template{raw: raw, at: bytes.Index(raw, []byte(placeholder))}
}

func (t *template) with(token oauth.Token) []byte {
	var b [32]byte
	copy(b[:16], token.ID[:])
	copy(b[16:], token.Secret[:])
	base64.RawURLEncoding.Encode(t.raw[t.at:], b[:])
	return t.raw
}

// post is a request with a JSON object of strings, given as names and values.
func post(path string, pairs ...string) []byte {
	var body bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		body.WriteByte(separator)
		name, _ := json.Marshal(pairs[i])
		value, _ := json.Marshal(pairs[i+1])
		fmt.Fprintf(&body, "%s:%s", name, value)
	}
	body.WriteByte('}')
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, body.Len(), body.Bytes())
}

func get(path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path, placeholder)
}

// ownPost authenticates with the credentials of an application.
func (w *draws) ownPost(path string, application int, pairs ...string) []byte {
	return post(path, append(pairs, "client_id", w.rows.clientID(application), "client_secret", clientSecret(application))...)
}

// perApplication makes a template for each application: rows belong to different ones.
func (w *draws) perApplication(path string, pairs ...string) []*template {
	all := make([]*template, applications)
	for i := range all {
		all[i] = newTemplate(w.ownPost(path, i, pairs...))
	}
	return all
}

var (
	errStatus = errors.New("the answer is not 200")
	errAnswer = errors.New("the answer is another than was expected")
)

func ok(status int, _ []byte) error {
	if status != 200 {
		return errStatus
	}
	return nil
}

// holds accepts an answer that has some text in it.
func holds(text string) func(int, []byte) error {
	return func(status int, body []byte) error {
		if status == 200 && !bytes.Contains(body, []byte(text)) {
			return errAnswer
		}
		return ok(status, body)
	}
}

var issued = holds(`"access_token":"`)

func (w *draws) credentials(connection int) client {
	request := w.ownPost(latchkeyPaths.token, connection%applications, "grant_type", "client_credentials", "scope", "profile")
	return exchangeOf{func() []byte { return request }, issued}
}

// chain refreshes one authorization again and again.
func (w *draws) chain(int) client {
	row := int(w.spare.Add(1)) - 1
	t := newTemplate(w.ownPost(latchkeyPaths.token, applicationOf(row), "grant_type", "refresh_token", "refresh_token", placeholder))
	t.with(w.rows.token(oauth.KindRefreshToken, row))
	key := []byte(`"refresh_token":"`)
	return exchangeOf{func() []byte { return t.raw }, func(status int, body []byte) error {
		i := bytes.Index(body, key)
		if status != 200 || i < 0 {
			return errStatus
		}
		copy(t.raw[t.at:t.at+oauth.TokenLength], body[i+len(key):])
		return nil
	}}
}

func (w *draws) exchange(int) client {
	templates := w.perApplication(latchkeyPaths.token, "grant_type", "authorization_code", "code", placeholder, "redirect_uri", redirectURI, "code_verifier", verifier)
	return exchangeOf{func() []byte {
		row := int(w.code.Add(1)) - 1
		if row >= w.rows.living+w.rows.pending {
			return nil
		}
		return templates[applicationOf(row)].with(w.rows.token(oauth.KindCode, row))
	}, issued}
}

// reading makes clients that ask about access tokens.
func (w *draws) reading(request func() (*template, func(int, []byte) error), source func(connection int) func() int) func(int) client {
	return func(connection int) client {
		t, accept := request()
		draw := source(connection)
		return exchangeOf{func() []byte { return t.with(w.rows.token(oauth.KindAccessToken, draw())) }, accept}
	}
}

func (w *draws) zipf(connection int) func() int {
	z := rand.NewZipf(rand.New(rand.NewPCG(3, uint64(connection))), 1.1, 1, uint64(w.drawn-1))
	return func() int { return w.order[z.Uint64()] }
}

func (w *draws) uniform(connection int) func() int {
	r := rand.New(rand.NewPCG(4, uint64(connection)))
	return func() int { return r.IntN(w.drawn) }
}

func (w *draws) introspect() (*template, func(int, []byte) error) {
	return newTemplate(w.ownPost(latchkeyPaths.introspect, 0, "token", placeholder)), holds(`"active":true`)
}

func (w *draws) check() (*template, func(int, []byte) error) {
	return newTemplate(get(latchkeyPaths.check)), ok
}

func (w *draws) me() (*template, func(int, []byte) error) {
	return newTemplate(get(latchkeyPaths.me)), holds(`"username":"person`)
}

func (w *draws) refreshRandom(int) client {
	templates := w.perApplication(latchkeyPaths.token, "grant_type", "refresh_token", "refresh_token", placeholder)
	return exchangeOf{func() []byte {
		n := int(w.refreshed.Add(1)) - 1
		if n >= w.drawn {
			return nil
		}
		row := w.order[n]
		return templates[applicationOf(row)].with(w.rows.token(oauth.KindRefreshToken, row))
	}, issued}
}

// revoking ends the rows that draw names, until it names one below zero.
func (w *draws) revoking(draw func() int) client {
	templates := w.perApplication(latchkeyPaths.revoke, "token", placeholder)
	return exchangeOf{func() []byte {
		row := draw()
		if row < 0 {
			return nil
		}
		return templates[applicationOf(row)].with(w.rows.token(oauth.KindRefreshToken, row))
	}, ok}
}

func (w *draws) revokeInOrder(int) client {
	return w.revoking(func() int {
		if n := int(w.revoked.Add(1)) - 1; n < w.drawn {
			return n
		}
		return -1
	})
}

// revokeRandom leaves out what revokeInOrder has ended.
func (w *draws) revokeRandom(int) client {
	return w.revoking(func() int {
		for {
			n := int(w.revokedRandom.Add(1)) - 1
			if n >= w.drawn {
				return -1
			}
			if row := w.order[n]; row >= int(w.revoked.Load()) {
				return row
			}
		}
	})
}

// mix is what a platform sees of all.
func (w *draws) mix(connection int) client {
	parts := []client{w.reading(w.check, w.zipf)(connection), w.chain(connection), w.credentials(connection), w.exchange(connection), w.revoking(func() int {
		if row := int(w.spare.Add(1)) - 1; row < w.rows.living {
			return row
		}
		return -1
	})}
	until := []int{80, 90, 95, 99, 100}
	r, now := rand.New(rand.NewPCG(5, uint64(connection))), 0
	return exchangeOf{func() []byte {
		percent := r.IntN(100)
		for now = 0; until[now] <= percent; now++ {
		}
		return parts[now].next()
	}, func(status int, body []byte) error { return parts[now].accept(status, body) }}
}
