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

// The workloads, by the names that floors and reports know them by.
const (
	forCredentials       = "client_credentials"
	forChain             = "refresh, own chain"
	forCode              = "code exchange, in id order"
	forIntrospectZipf    = "introspect, Zipf"
	forCheckZipf         = "check, Zipf"
	forMeZipf            = "me, Zipf"
	forIntrospectUniform = "introspect, uniform"
	forCheckUniform      = "check, uniform"
	forMeUniform         = "me, uniform"
	forMix               = "mix"
	forRefreshRandom     = "refresh, random"
	forRevokeInOrder     = "revoke, in id order"
	forRevokeRandom      = "revoke, random"
)

// workloads of a filled store, in the order in which they can be measured.
func workloads(r rows) []workload {
	w := newDraws(r)
	zipf := fmt.Sprintf("%d living, by a Zipf law with s = 1.1, the popular ones scattered", r.drawn)
	uniform := fmt.Sprintf("%d living, each as likely", r.drawn)
	once := fmt.Sprintf("%d living, each once, ", r.drawn)
	return []workload{
		{forCredentials, "adds rows", w.credentials},
		{forChain, "each connection goes on with its own row", w.chain},
		{forCode, "pending rows, in the order of their ids", w.exchange},
		{forIntrospectZipf, zipf, w.reading(w.introspect, w.zipf)},
		{forCheckZipf, zipf, w.reading(w.check, w.zipf)},
		{forMeZipf, zipf, w.reading(w.me, w.zipf)},
		{forIntrospectUniform, uniform, w.reading(w.introspect, w.uniform)},
		{forCheckUniform, uniform, w.reading(w.check, w.uniform)},
		{forMeUniform, uniform, w.reading(w.me, w.uniform)},
		{forMix, "80 % checks by the Zipf law, 10 % refreshes of an own chain, 5 % client_credentials, 4 % code exchanges in id order, 1 % revocations in id order", w.mix},
		{forRefreshRandom, once + "shuffled", w.refreshRandom},
		{forRevokeInOrder, once + "in the order of their ids", w.revokeInOrder},
		{forRevokeRandom, once + "shuffled, without those that were refreshed or revoked already", w.revokeRandom},
	}
}

// usingUp tells which workloads leave rows that no other one can read afterwards.
func usingUp(w workload) bool {
	return w.name == forRefreshRandom || w.name == forRevokeInOrder || w.name == forRevokeRandom
}

// byZipf tells which workloads ask for some rows far more often than for others.
func byZipf(w workload) bool {
	switch w.name {
	case forIntrospectZipf, forCheckZipf, forMeZipf, forMix:
		return true
	}
	return false
}

// draws hands out rows to the clients of all connections. No two workloads share a
// sequence of draws: the later one would find in memory what the earlier one read.
type draws struct {
	rows rows
	// order is a shuffle of the drawn rows, counted from the first of them: the popular
	// ones of the Zipf law from its beginning, those that are used once from its end.
	order []int
	// spare and code are the numbers of the next rows of their kind.
	spare, code atomic.Int64
	// shuffled is how many of the order are used, revoked how many of the drawn rows.
	shuffled, revoked atomic.Int64
	// streams counts the generators of random numbers.
	streams atomic.Uint64
}

func newDraws(r rows) *draws {
	w := &draws{rows: r, order: rand.New(rand.NewPCG(1, 2)).Perm(r.drawn)}
	w.spare.Store(int64(r.used))
	w.code.Store(int64(r.living()))
	return w
}

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
	return client{func() []byte { return request }, issued}
}

// chain refreshes one authorization again and again.
func (w *draws) chain(int) client {
	row := w.nextSpare()
	if row < 0 {
		return client{func() []byte { return nil }, ok}
	}
	t := newTemplate(w.ownPost(latchkeyPaths.token, applicationOf(row), "grant_type", "refresh_token", "refresh_token", placeholder))
	t.with(w.rows.token(oauth.KindRefreshToken, row))
	key := []byte(`"refresh_token":"`)
	return client{func() []byte { return t.raw }, func(status int, body []byte) error {
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
	return w.using(func() int {
		if row := int(w.code.Add(1)) - 1; row < w.rows.all() {
			return row
		}
		return -1
	}, templates, oauth.KindCode, issued)
}

// reading makes clients that ask about access tokens.
func (w *draws) reading(request func() (*template, func(int, []byte) error), source func() func() int) func(int) client {
	return func(int) client {
		t, accept := request()
		draw := source()
		return client{func() []byte { return t.with(w.rows.token(oauth.KindAccessToken, draw())) }, accept}
	}
}

// random is a generator of its own.
func (w *draws) random() *rand.Rand { return rand.New(rand.NewPCG(3, w.streams.Add(1))) }

func (w *draws) zipf() func() int {
	z := rand.NewZipf(w.random(), 1.1, 1, uint64(w.rows.drawn-1))
	return func() int { return w.rows.spare + w.order[z.Uint64()] }
}

func (w *draws) uniform() func() int {
	r := w.random()
	return func() int { return w.rows.spare + r.IntN(w.rows.drawn) }
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

// nextShuffled is a drawn row that was neither refreshed nor revoked, negative when
// there is none left.
func (w *draws) nextShuffled() int {
	for {
		n := w.rows.drawn - int(w.shuffled.Add(1))
		if n < 0 {
			return -1
		}
		if w.order[n] >= int(w.revoked.Load()) {
			return w.rows.spare + w.order[n]
		}
	}
}

func (w *draws) refreshRandom(int) client {
	templates := w.perApplication(latchkeyPaths.token, "grant_type", "refresh_token", "refresh_token", placeholder)
	return w.using(w.nextShuffled, templates, oauth.KindRefreshToken, issued)
}

// using sends a token of each row that draw names, until it names a negative one.
func (w *draws) using(draw func() int, templates []*template, kind oauth.Kind, accept func(int, []byte) error) client {
	return client{func() []byte {
		row := draw()
		if row < 0 {
			return nil
		}
		return templates[applicationOf(row)].with(w.rows.token(kind, row))
	}, accept}
}

func (w *draws) revoking(draw func() int) client {
	return w.using(draw, w.perApplication(latchkeyPaths.revoke, "token", placeholder), oauth.KindRefreshToken, ok)
}

func (w *draws) revokeInOrder(int) client {
	return w.revoking(func() int {
		if n := int(w.revoked.Add(1)) - 1; n < w.rows.drawn {
			return w.rows.spare + n
		}
		return -1
	})
}

func (w *draws) revokeRandom(int) client { return w.revoking(w.nextShuffled) }

// nextSpare is a row that no other client uses, negative when there is none left.
func (w *draws) nextSpare() int {
	if row := int(w.spare.Add(1)) - 1; row < w.rows.spare {
		return row
	}
	return -1
}

// mix is what a platform sees of all.
func (w *draws) mix(connection int) client {
	parts := []client{
		w.reading(w.check, w.zipf)(connection), w.chain(connection), w.credentials(connection),
		w.exchange(connection), w.revoking(w.nextSpare),
	}
	until := []int{80, 90, 95, 99, 100}
	r, now := w.random(), 0
	return client{func() []byte {
		percent := r.IntN(100)
		for now = 0; until[now] <= percent; now++ {
		}
		return parts[now].next()
	}, func(status int, body []byte) error { return parts[now].accept(status, body) }}
}
