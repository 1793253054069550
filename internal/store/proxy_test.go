package store_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// accident is what happens to the connection at a commit.
type accident int32

const (
	none accident = iota
	// lostBefore: the commit never arrives.
	lostBefore
	// lostAfter: the commit is done, its answer never arrives.
	lostAfter
	// late: the client sees a lost connection, and the commit arrives afterwards.
	late
)

// proxy stands between a store and a PostgreSQL and reads what they say.
type proxy struct {
	t        *testing.T
	listener net.Listener
	backend  string
	// next is the accident of the next commit; happened counts those that came.
	next     atomic.Int32
	happened atomic.Int64
	// deliver lets a commit that is late go on.
	deliver chan struct{}
	// away: whoever connects is turned away, and counted.
	away       atomic.Bool
	turnedAway atomic.Int64
	mu         sync.Mutex
	open       []*conversation
	running    sync.WaitGroup
}

// startProxy returns the URL of the database behind the proxy.
func startProxy(t *testing.T, database string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, backend: u.Host, deliver: make(chan struct{})}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = p.listener.Addr().String()
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.mu.Lock()
		for _, c := range p.open {
			c.hangUp()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.away.Load() {
			_ = client.Close()
			p.turnedAway.Add(1)
			continue
		}
		server, err := net.Dial("tcp", p.backend)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &conversation{proxy: p, client: client, server: server, statements: map[string]string{}, committed: make(chan struct{})}
		p.mu.Lock()
		p.open = append(p.open, c)
		p.mu.Unlock()
		p.running.Go(c.clientToServer)
		p.running.Go(c.serverToClient)
	}
}

// silence loses every answer on the connections that are open, and keeps them.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.deaf.Store(true)
	}
}

// leave ends the connections that are open, and turns others away until away is false.
func (p *proxy) leave() {
	p.away.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.hangUp()
	}
}

// conversation is one connection through the proxy.
type conversation struct {
	*proxy
	client, server net.Conn
	// statements are the prepared ones by their names.
	statements map[string]string
	deaf       atomic.Bool
	// committed is closed when the server has answered an ill-fated commit.
	committed chan struct{}
}

func (c *conversation) hangUp() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// readMessage reads a message of the protocol: a letter, a length, a body. The
// first one of a client has no letter.
func readMessage(r *bufio.Reader, first bool) (kind byte, whole []byte, err error) {
	head := make([]byte, 5)
	if first {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	if !first {
		kind = head[0]
	}
	body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
	_, err = io.ReadFull(r, body)
	return kind, append(head, body...), err
}

func (c *conversation) clientToServer() {
	defer c.hangUp()
	r := bufio.NewReader(c.client)
	for first := true; ; first = false {
		kind, message, err := readMessage(r, first)
		if err != nil {
			return
		}
		if c.isCommit(kind, message) {
			if fate := accident(c.next.Swap(int32(none))); fate != none {
				c.suffer(fate, kind, message, r)
				c.happened.Add(1)
				return
			}
		}
		if _, err := c.server.Write(message); err != nil {
			return
		}
	}
}

// isCommit reports whether the message runs a commit, be it prepared or not.
func (c *conversation) isCommit(kind byte, message []byte) bool {
	if kind == 0 {
		return false
	}
	words := bytes.Split(message[5:], []byte{0})
	switch kind {
	case 'P':
		c.statements[string(words[0])] = string(words[1])
	case 'B':
		return commits(c.statements[string(words[1])])
	case 'Q':
		return commits(string(words[0]))
	}
	return false
}

// commits reports whether a statement ends a transaction, or is one of those that a
// batch commits alone.
func commits(sql string) bool {
	alone := strings.HasPrefix(sql, "insert into authorizations") && strings.Contains(sql, "unnest") || strings.HasPrefix(sql, "with ")
	alone = alone || strings.HasPrefix(sql, "update authorizations") && strings.HasSuffix(sql, "returning a.id")
	return alone || strings.EqualFold(sql, "commit")
}

func (c *conversation) suffer(fate accident, kind byte, message []byte, r *bufio.Reader) {
	if fate == lostBefore {
		return
	}
	// The rest of what belongs to the commit, to its end.
	for kind != 'Q' && kind != 'S' {
		var more []byte
		var err error
		if kind, more, err = readMessage(r, false); err != nil {
			return
		}
		message = append(message, more...)
	}
	c.deaf.Store(true)
	if fate == late {
		_ = c.client.Close()
		<-c.deliver
	}
	if _, err := c.server.Write(message); err == nil {
		<-c.committed
	}
}

func (c *conversation) serverToClient() {
	defer close(c.committed)
	r := bufio.NewReader(c.server)
	for {
		kind, message, err := readMessage(r, false)
		if err != nil {
			_ = c.client.Close()
			return
		}
		if c.deaf.Load() {
			if kind == 'Z' { // ready for the next query
				return
			}
			continue
		}
		if _, err := c.client.Write(message); err != nil {
			return
		}
	}
}
