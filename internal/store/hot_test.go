package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

const (
	hotRows     = 200
	hotAccounts = 20
	// hotActors write through each replica at the same time.
	hotActors = 12
)

// hotRow is one authorization that everybody refreshes.
type hotRow struct {
	life    life
	current atomic.Pointer[hotGeneration]
	// advanced counts the rotations that were acknowledged, each once.
	advanced atomic.Int64
	revoked  atomic.Bool
}

type hotGeneration struct {
	number  uint32
	refresh oauth.Token
}

// hotField is the rows that are alive, and all that ever were.
type hotField struct {
	*world
	mu   sync.Mutex
	all  []*hotRow
	rows [hotRows]atomic.Pointer[hotRow]
	// planting keeps new rows of an account out of its disconnection, so that it is
	// known which rows that one ended.
	planting [hotAccounts]sync.RWMutex
	// refreshes, repeats, revocations and losses count answers.
	refreshes, repeats, revocations, losses atomic.Int64
}

// shareHotRows lets three stores refresh, revoke, disconnect and sweep the same
// rows in random order, and counts generations.
func shareHotRows(w *world) {
	stores := []*store.Store{w.open(false), w.open(false), w.open(false)}
	w.populate(stores[0], hotAccounts)
	f := &hotField{world: w}
	for i := range hotRows {
		f.plant(stores[0], i)
	}
	length := *hot
	if w.onSQLite() {
		// Three processes on one file are two too many; it is enough that it works.
		length /= 5
	}
	stop := time.Now().Add(length)
	var done sync.WaitGroup
	for i := range len(stores) * hotActors {
		done.Go(func() {
			for time.Now().Before(stop) && !w.Failed() {
				f.act(stores[i%len(stores)])
			}
		})
	}
	done.Wait()
	f.count(stores[0])
	w.Logf("%v: %d refreshes, of which %d were repeats, %d revocations, %d too late", length,
		f.refreshes.Load(), f.repeats.Load(), f.revocations.Load(), f.losses.Load())
	w.noDeadlocks()
}

func (f *hotField) plant(s *store.Store, i int) {
	f.planting[i%hotAccounts].RLock()
	defer f.planting[i%hotAccounts].RUnlock()
	r := &hotRow{life: f.active(f.accounts[i%hotAccounts].ID)}
	r.current.Store(&hotGeneration{number: 1, refresh: r.life.refresh})
	if err := s.Issue(f.ctx, r.life.row); err != nil {
		f.Errorf("issue: %v", err)
		return
	}
	f.mu.Lock()
	f.all = append(f.all, r)
	f.mu.Unlock()
	f.rows[i].Store(r)
}

// act is one event on a random row.
func (f *hotField) act(s *store.Store) {
	i := rand.IntN(hotRows)
	r := f.rows[i].Load()
	switch chance := rand.IntN(1000); {
	case chance < 3:
		r.revoked.Store(true)
		if err := s.Revoke(f.ctx, oauth.Revocation{ID: r.life.row.ID, Reason: oauth.ReasonRequested}); err != nil {
			f.Errorf("revoke: %v", err)
		}
		f.revocations.Add(1)
		f.plant(s, i)
	case chance < 4:
		f.disconnect(s, i%hotAccounts)
	case chance < 6:
		if _, err := s.Sweep(f.ctx); err != nil {
			f.Errorf("sweep: %v", err)
		}
	default:
		f.refresh(s, r)
	}
}

// disconnect ends all rows of an account in one transaction.
func (f *hotField) disconnect(s *store.Store, account int) {
	f.planting[account].Lock()
	f.mu.Lock()
	for _, r := range f.all {
		if r.life.row.AccountID == f.accounts[account].ID {
			r.revoked.Store(true)
		}
	}
	f.mu.Unlock()
	if err := s.Disconnect(f.ctx, f.accounts[account].ID, f.application.ID); err != nil {
		f.Errorf("disconnect: %v", err)
	}
	f.planting[account].Unlock()
	f.revocations.Add(1)
	for i := account; i < hotRows; i += hotAccounts {
		f.plant(s, i)
	}
}

func (f *hotField) refresh(s *store.Store, r *hotRow) {
	shown := r.current.Load()
	e, _, next := f.rotation(shown.refresh)
	row, err := s.RotateRefresh(f.ctx, e)
	switch {
	case err == nil:
		if row.Generation != shown.number+1 || row.RefreshHash != e.RefreshHash {
			f.Errorf("a refresh of generation %d was answered with generation %d", shown.number, row.Generation)
		}
		f.refreshes.Add(1)
		if r.current.CompareAndSwap(shown, &hotGeneration{number: shown.number + 1, refresh: next}) {
			r.advanced.Add(1)
		} else {
			f.repeats.Add(1)
		}
	case errors.Is(err, oauth.ErrUnrecognised), r.revoked.Load() && refusedAs(err, oauth.InvalidGrant) == nil:
		// Others were faster by two generations, or revoked it.
		f.losses.Add(1)
	default:
		f.Errorf("refresh: %v", err)
	}
}

// count compares what was acknowledged with every row that ever was.
func (f *hotField) count(s *store.Store) {
	f.Helper()
	for _, r := range f.all {
		row, err := s.Authorization(f.ctx, r.life.row.ID)
		f.must(err)
		if want := uint32(1 + r.advanced.Load()); row.Generation != want {
			f.Errorf("a row is at generation %d after %d acknowledged rotations", row.Generation, want-1)
		}
		if r.revoked.Load() != (row.Status == oauth.StatusRevoked) {
			f.Errorf("a row has the status %v; revoked is %v", row.Status, r.revoked.Load())
		}
	}
}

// noDeadlocks asks PostgreSQL, because the store would have tried again.
func (w *world) noDeadlocks() {
	w.Helper()
	if w.onSQLite() {
		return
	}
	conn := w.connect()
	// Statistics come with a delay, unless they are asked for.
	_, err := conn.Exec(w.ctx, `select pg_stat_force_next_flush()`)
	w.must(err)
	var n int
	w.must(conn.QueryRow(w.ctx, `select deadlocks from pg_stat_database where datname = current_database()`).Scan(&n))
	if n != 0 {
		w.Error(fmt.Sprint("deadlocks that the store hid: ", n))
	}
}

// connect looks at the PostgreSQL from outside the store.
func (w *world) connect() *pgx.Conn {
	w.Helper()
	conn, err := pgx.Connect(w.ctx, w.at.Database)
	w.must(err)
	w.Cleanup(func() { _ = conn.Close(w.ctx) })
	return conn
}
