package store

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// The channel on which replicas tell each other what changed, and the limits of
// the conversation.
const (
	bellChannel = "latchkey"
	maxPayload  = 7900 // bytes; PostgreSQL allows 8,000
	beatEvery   = time.Second
	// silence is how long the listener may hear nothing, not even its own beat,
	// before it is taken for dead.
	silence = 3 * time.Second
)

// bell announces changes to all replicas and hears theirs. Announcements are
// transactions of their own: NOTIFY takes a lock on the whole cluster at commit.
type bell struct {
	p     *postgres
	queue chan announcement
	// own is the channel of this replica's heartbeat.
	own string
	// heard is when the last heartbeat came, in nanoseconds since started.
	heard   atomic.Int64
	started time.Time
}

// announcement is what one write changed. told is closed when all have been told.
type announcement struct {
	changes []change
	told    chan struct{}
}

func newBell(p *postgres) (*bell, error) {
	id, err := oauth.NewID(p.random, p.now())
	if err != nil {
		return nil, err
	}
	b := &bell{p: p, queue: make(chan announcement, maxQueue), own: bellChannel + "_" + hex.EncodeToString(id[:]), started: time.Now()}
	b.heard.Store(int64(-silence))
	return b, nil
}

// trusted reports whether the listener heard its own heartbeat lately: then it
// heard everything else too.
func (b *bell) trusted() bool {
	return time.Since(b.started)-time.Duration(b.heard.Load()) < silence
}

// ringPatience is how long a write waits for its announcement, when the database
// has just committed it and then does not answer.
const ringPatience = 2 * time.Second

// ring announces changes and, with wait, returns when the others have been told: a
// replica that dies right after it acknowledged a revocation must not leave them
// trusting.
func (b *bell) ring(changes []change, wait bool) {
	if len(changes) == 0 {
		return
	}
	a := announcement{changes: changes, told: make(chan struct{})}
	select {
	case b.queue <- a:
	default:
		b.p.log.Error("replicas could not be told of a change", "cause", "too many changes are waiting")
		return
	}
	if !wait {
		return
	}
	limit := time.NewTimer(ringPatience)
	defer limit.Stop()
	select {
	case <-a.told:
	case <-limit.C:
	}
}

// announce tells what was queued until the store is closed, then the rest.
func (b *bell) announce() {
	for {
		select {
		case first := <-b.queue:
			b.tellAll(b.gather([]announcement{first}))
		case <-b.p.closing:
			b.tellAll(b.gather(nil))
			return
		}
	}
}

func (b *bell) gather(all []announcement) []announcement {
	for {
		select {
		case more := <-b.queue:
			all = append(all, more)
		default:
			return all
		}
	}
}

func (b *bell) tellAll(all []announcement) {
	var changes []change
	for _, a := range all {
		changes = append(changes, a.changes...)
	}
	b.tell(changes)
	for _, a := range all {
		close(a.told)
	}
}

// tell sends changes, again after an outage: nobody trusts what is cached for
// longer than cachedLife, so later it would not matter.
func (b *bell) tell(changes []change) {
	limit, cancel := context.WithTimeout(context.Background(), cachedLife)
	defer cancel()
	for _, payload := range payloads(changes) {
		for {
			attempt, stop := context.WithTimeout(limit, 2*time.Second)
			_, err := b.p.pool.Exec(attempt, `select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, bellChannel, payload)
			stop()
			if err == nil {
				break
			}
			select {
			case <-limit.Done():
				b.p.log.Error("replicas could not be told of a change", "cause", err)
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// payloads packs changes: a letter for the kind and 22 characters for the id.
func payloads(changes []change) []string {
	var all []string
	var b strings.Builder
	for _, c := range changes {
		if b.Len()+23 > maxPayload {
			all = append(all, b.String())
			b.Reset()
		}
		b.WriteByte(byte(c.kind))
		b.WriteString(base64.RawURLEncoding.EncodeToString(c.id[:]))
	}
	if b.Len() > 0 {
		all = append(all, b.String())
	}
	return all
}

func parsePayload(payload string) []change {
	var changes []change
	for len(payload) >= 23 {
		raw, err := base64.RawURLEncoding.DecodeString(payload[1:23])
		if err != nil {
			return []change{{kind: everythingChanged}}
		}
		changes = append(changes, change{kind: changeKind(payload[0]), id: oauth.ID(raw)})
		payload = payload[23:]
	}
	return changes
}

// beat makes this replica's heartbeat, and measures the database's clock.
func (b *bell) beat() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		limit, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := b.p.pool.Exec(limit, `select pg_notify($1, '')`, b.own)
		if err == nil {
			err = b.p.setClock(limit)
		}
		cancel()
		if err != nil {
			b.p.log.Debug("no heartbeat", "cause", err)
		}
		select {
		case <-ticker.C:
		case <-b.p.closing:
			return
		}
	}
}

// listen hears changes, on a new connection after every silence. It listens
// first, then empties the memory, then trusts it.
func (b *bell) listen(m *memory) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.p.closing
		cancel()
	}()
	for ctx.Err() == nil {
		err := b.hear(ctx, m)
		if ctx.Err() != nil {
			return
		}
		b.p.log.Warn("the connection that hears of revocations was lost; nothing is answered from memory until it is back", "cause", err)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (b *bell) hear(ctx context.Context, m *memory) error {
	limit, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	conn, err := pgx.ConnectConfig(limit, b.p.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		farewell, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = conn.Close(farewell)
	}()
	if _, err := conn.Exec(limit, `listen `+bellChannel+`; listen `+b.own); err != nil {
		return err
	}
	m.empty()
	// What comes while nobody listens is missed.
	defer func() { b.heard.Store(int64(time.Since(b.started) - silence)) }()
	last := time.Now()
	for {
		left := silence - time.Since(last)
		if left <= 0 {
			return errors.New("no heartbeat was heard")
		}
		wait, cancel := context.WithTimeout(ctx, left)
		n, err := conn.WaitForNotification(wait)
		cancel()
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		if n.Channel == b.own {
			last = time.Now()
			b.heard.Store(int64(time.Since(b.started)))
			continue
		}
		for _, c := range parsePayload(n.Payload) {
			m.drop(c)
		}
	}
}
