package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// bound opens a connection to a database of its own.
func bound(t *testing.T) *connection {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	if err := createPrivate(path); err != nil {
		t.Fatal(err)
	}
	must(t, usePages())
	c, err := openConnection(path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestWhatIsBoundComesBack tells the forms in which the small tables give and take values.
func TestWhatIsBoundComesBack(t *testing.T) {
	c, ctx := bound(t), t.Context()
	id, at := oauth.ID{1, 2, 3}, time.UnixMilli(1_700_000_000_123).UTC()
	var (
		gotID              oauth.ID
		gotAt              time.Time
		text               string
		scope              oauth.Scope
		status             oauth.Status
		generation         uint32
		n                  int
		big                int64
		yes, no            bool
		bytes, noBytes     []byte
		empty              oauth.Hash
		repeated, reversed int64
	)
	empty[3] = 1
	err := c.QueryRowContext(ctx, `select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $8, $7`,
		id[:], toMillis(at), "é☃x", oauth.Scope("profile"), int64(2), uint32(7), 8, int64(-9), true, false, []byte{4, 5}, []byte{}, blob(make([]byte, 32))).
		Scan(fixed(gotID[:]), millis{&gotAt}, &text, &scope, &status, &generation, &n, &big, &yes, &no, &bytes, &noBytes, fixed(empty[:]), &repeated, &reversed)
	if err != nil {
		t.Fatal(err)
	}
	if gotID != id || !gotAt.Equal(at) || text != "é☃x" || scope != "profile" || status != oauth.StatusActive || generation != 7 ||
		n != 8 || big != -9 || !yes || no || string(bytes) != "\x04\x05" || len(noBytes) != 0 || empty != (oauth.Hash{}) || repeated != -9 || reversed != 8 {
		t.Error(gotID, gotAt, text, scope, status, generation, n, big, yes, no, bytes, noBytes, empty, repeated, reversed)
	}
}

func TestWhatCannotBeBoundOrReadIsAnError(t *testing.T) {
	c, ctx := bound(t), t.Context()
	var s string
	var b uint8
	var id oauth.ID
	for name, err := range map[string]error{
		"a syntax error":       c.QueryRowContext(ctx, `select from`).Scan(&s),
		"a value too few":      c.QueryRowContext(ctx, `select $1, $2`, "1").Scan(&s),
		"a value too many":     c.QueryRowContext(ctx, `select $1`, "1", "2").Scan(&s),
		"an unknown type":      c.QueryRowContext(ctx, `select $1`, struct{}{}).Scan(&s),
		"an overflow":          c.QueryRowContext(ctx, `select 256`).Scan(&b),
		"no pointer":           c.QueryRowContext(ctx, `select 1`).Scan(s),
		"another size":         c.QueryRowContext(ctx, `select x'0102'`).Scan(fixed(id[:])),
		"a failing expression": c.QueryRowContext(ctx, `select abs(-9223372036854775808)`).Scan(&s),
	} {
		if err == nil || errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.QueryRowContext(ctx, `select 1 where false`).Scan(&s); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
	// A statement works again after all that.
	if err := c.QueryRowContext(ctx, `select $1, $2`, "1", "2").Scan(&s, &s); err != nil || s != "2" {
		t.Error(s, err)
	}
}

func TestAStatementIsNotRunWhileItIsRead(t *testing.T) {
	c, ctx := bound(t), t.Context()
	const query = `select value from (select 1 as value union select 2)`
	found, err := c.QueryContext(ctx, query)
	if err != nil || !found.Next() {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRowContext(ctx, query).Scan(&n); err == nil {
		t.Error("a statement was run while its rows were read")
	}
	if err := found.Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := found.Close(); err != nil {
		t.Error(err)
	}
	if err := c.QueryRowContext(ctx, query).Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}

func TestALockedDatabaseIsAnOutage(t *testing.T) {
	c, ctx := bound(t), t.Context()
	if _, err := c.ExecContext(ctx, `begin immediate`); err != nil {
		t.Fatal(err)
	}
	path := c.QueryRowContext(ctx, `select file from pragma_database_list`)
	var file string
	if err := path.Scan(&file); err != nil {
		t.Fatal(err)
	}
	other, err := openConnection(file, "busy_timeout(1)", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.ExecContext(ctx, `begin immediate`)
	var refusal *oauth.Error
	if !errors.As(fault(err), &refusal) || refusal.Code != oauth.Unavailable {
		t.Errorf("a lock was answered with %v", err)
	}
	if err := other.close(); err != nil {
		t.Error(err)
	}
}

func TestReadersAreLentAndGivenBack(t *testing.T) {
	s := openForTest(t)
	r := s.engine.(*sqlite).readers
	var lent []rows
	for range maxReaders {
		found, err := r.QueryContext(t.Context(), `select 1`)
		if err != nil {
			t.Fatal(err)
		}
		lent = append(lent, found)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.QueryContext(soon, `select 1`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("more than %d connections: %v", maxReaders, err)
	}
	for _, found := range lent {
		// Twice gives back once.
		if err := errors.Join(found.Close(), found.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Accounts(t.Context()); err != nil {
		t.Error(err)
	}
	if r.QueryRowContext(t.Context(), `delete from settings`).Scan() == nil {
		t.Error("a reading connection writes")
	}
	ending := newReaders(s.engine.(*sqlite).path, nil)
	late, err := ending.QueryContext(t.Context(), `select 1`)
	must(t, errors.Join(err, ending.close()))
	if must(t, late.Close()); len(ending.idle) != 0 {
		t.Error("a connection that is given back late stays open")
	}
	if _, err := ending.QueryContext(t.Context(), `select 1`); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
	// One that cannot be opened does not stay lent.
	nowhere := newReaders(filepath.Join(t.TempDir(), "no", DatabaseFile), nil)
	for range maxReaders + 1 {
		if _, err := nowhere.QueryContext(t.Context(), `select 1`); err == nil {
			t.Error("a database was opened that is not there")
		}
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	s := openForTest(t)
	r := s.engine.(*sqlite).readers
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	found, err := r.QueryContext(ctx, `with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n`)
	_, err = collect(found, err, func(row) (int, error) { return 0, nil })
	if err == nil {
		t.Error("an endless query ended by itself")
	}
	if _, err := s.Setting(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another query ends with that context: %v", err)
	}
	if _, err := s.Accounts(t.Context()); err != nil {
		t.Errorf("the connection is of no more use: %v", err)
	}
}
