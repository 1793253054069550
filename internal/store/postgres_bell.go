package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
)

// The channel on which the replicas of a schema tell each other what changed, and the limits of
// the conversation.
const (
	bellChannel = "latchkey"
	// arrivalChannel is where each connection says whose it is, by the channel of its replica.
	arrivalChannel = "latchkey_arrivals"
	maxPayload     = 7900 // bytes; PostgreSQL allows 8,000
	beatEvery      = time.Second
	// silence is how long the listener may hear nothing, not even its own beat,
	// before it is taken for dead.
	silence = 3 * time.Second
)

// bell announces changes to all replicas and hears theirs. Announcements are
// transactions of their own: NOTIFY takes a lock on the whole cluster at commit.
type bell struct {
	p     *postgres
	queue chan announcement
	// own is the channel of this replica's heartbeat, and number the lock that its
	// connections share: both are of one random id.
	own    string
	number int32
	// Times are nanoseconds since started: heard is when the last heartbeat came, listening
	// is since when, and alone is when it was last asked whether there are other replicas, if
	// there were none.
	heard, listening, alone atomic.Int64
	started                 time.Time
	// lost tells listen that the loss of its connection was told already.
	lost bool
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
	b := &bell{
		p: p, queue: make(chan announcement, maxQueue), started: time.Now(),
		own: bellChannel + "_" + hex.EncodeToString(id[:]), number: int32(binary.BigEndian.Uint32(id[12:]) >> 1),
	}
	b.heard.Store(int64(-silence))
	b.notAlone()
	return b, nil
}

func (b *bell) elapsed() time.Duration { return time.Since(b.started) }

// trusted reports whether the listener heard its own heartbeat lately: then it heard
// everything else too. A listener that is new has to wait until every replica that thought
// to be the only one has found out, unless there is none.
func (b *bell) trusted() bool {
	now, listening := b.elapsed(), b.listening.Load()
	return now-time.Duration(b.heard.Load()) < silence &&
		(now-time.Duration(listening) > silence || b.alone.Load() > listening)
}

// isAlone reports whether there was no other replica, less than silence ago. One that came
// later does not trust its memory yet, so that it need not be told of anything.
func (b *bell) isAlone(now time.Duration) bool {
	return now-time.Duration(b.alone.Load()) < silence
}

// life is how long a record is trusted.
func (b *bell) life() time.Duration {
	if b.isAlone(b.elapsed()) {
		return cachedLifeAlone
	}
	return cachedLife
}

// ringPatience is how long a write waits for its announcement, when the database
// has just committed it and then does not answer.
const ringPatience = 2 * time.Second

// ring announces changes and, with wait, returns when the others have been told: a
// replica that dies right after it acknowledged a revocation must not leave them
// trusting.
func (b *bell) ring(changes []change, wait bool) {
	if len(changes) == 0 || b.isAlone(b.elapsed()) {
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

// tell sends changes, again after an outage: whoever hears nothing for so long trusts nothing
// that is cached, so later it would not matter.
func (b *bell) tell(changes []change) {
	limit, cancel := context.WithTimeout(context.Background(), cachedLife)
	defer cancel()
	for _, payload := range payloads(changes) {
		for {
			attempt, stop := context.WithTimeout(limit, attemptPatience)
			_, err := b.p.pool.Exec(attempt, `select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, b.p.channel(bellChannel), payload)
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

// bePresent is done on every connection before it is used, but for the one on which the schema is
// brought up to date: it shares the lock of the replica, and says so. Whoever is alone hears of a
// process before that has changed anything, however short it lives.
func (b *bell) bePresent(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `select pg_advisory_lock_shared($1, $2), set_config('synchronous_commit', 'off', true),
		case when not pg_is_in_recovery() then pg_notify($3, $4)::text end`, b.p.class(presence), b.number, b.p.channel(arrivalChannel), b.own)
	if err != nil {
		return fmt.Errorf("tell other replicas of a connection: %w", err)
	}
	return nil
}

// notAlone notes that there may be others, by another value each time: whoever looks around
// notices that somebody has come meanwhile.
func (b *bell) notAlone() { b.alone.Store(int64(-silence - b.elapsed())) }

// countOthers counts the connections of other replicas, and of commands.
const countOthers = `(select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2
	and database = (select oid from pg_database where datname = current_database()) and classid::bigint::bit(32)::int = $1 and objid::bigint <> $2)`

// beat makes this replica's heartbeat, looks for others, and measures the database's clock.
func (b *bell) beat() {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		limit, cancel := context.WithTimeout(context.Background(), attemptPatience)
		err := b.lookAround(limit)
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

// lookAround makes a heartbeat and counts the others.
func (b *bell) lookAround(ctx context.Context) error {
	before, asked, others := b.alone.Load(), b.elapsed(), 0
	err := b.p.pool.QueryRow(ctx, `select `+countOthers+`, pg_notify($3, '')`, b.p.class(presence), b.number, b.own).Scan(&others, nil)
	if err != nil || others > 0 {
		b.notAlone()
		return err
	}
	if !b.isAlone(asked) {
		// Whoever was there may have been killed before it told of what it did.
		b.p.memory.empty()
	}
	// It stays as it is where somebody has come meanwhile.
	b.alone.CompareAndSwap(before, int64(asked))
	return nil
}

// listen hears changes, on a new connection after every silence. It listens
// first, then empties the memory, then trusts it.
func (b *bell) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-b.p.closing
		cancel()
	}()
	for ctx.Err() == nil {
		err := b.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if !b.lost {
			b.p.log.Warn("the connection that hears of revocations was lost; nothing is answered from memory until it is back", "cause", err)
			b.lost = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (b *bell) hear(ctx context.Context) error {
	// Its configuration limits how long that takes, for each host.
	conn, err := pgx.ConnectConfig(ctx, b.p.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	defer func() {
		farewell, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = conn.Close(farewell)
	}()
	if err := b.bePresent(limit, conn); err != nil {
		return err
	}
	arrivals := b.p.channel(arrivalChannel)
	if _, err := conn.Exec(limit, `listen `+b.p.channel(bellChannel)+`; listen `+arrivals+`; listen `+b.own); err != nil {
		return err
	}
	b.listening.Store(int64(b.elapsed()))
	b.p.memory.empty()
	// What comes while nobody listens is missed.
	defer func() { b.heard.Store(int64(b.elapsed() - silence)) }()
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
		switch n.Channel {
		case b.own:
			last = time.Now()
			b.heard.Store(int64(b.elapsed()))
			// Not before: through some poolers one listens and hears nothing.
			if b.lost {
				b.p.log.Info("the connection that hears of revocations is back")
				b.lost = false
			}
		case arrivals:
			if n.Payload != b.own {
				b.notAlone()
			}
		default:
			for _, c := range parsePayload(n.Payload) {
				b.p.memory.drop(c)
			}
		}
	}
}
