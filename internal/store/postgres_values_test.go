package store

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestRawRowsAreWhatTheDriverReads in the binary protocol and in the one that sends everything as
// text, also what only the driver can convert, and where both refuse.
func TestRawRowsAreWhatTheDriverReads(t *testing.T) {
	t.Parallel()
	type read struct {
		Hash    oauth.Hash
		At      time.Time
		Text    string
		Scope   oauth.Scope
		Status  oauth.Status
		Number  int64
		Rounds  uint32
		Yes, No bool
		Empty   [4]byte
		Float   float64
		Nothing *string
	}
	const query = `select decode(repeat('0f', 32), 'hex'), 1234567890123::bigint, 'héllo'::text, 'profile library'::text,
		3::smallint, -7::bigint, 70000::integer, true, false, ''::bytea, 1.5::float8, null::text`
	conn, err := pgx.Connect(t.Context(), realpostgres.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	into := func(r *read) []any {
		return []any{fixed(r.Hash[:]), millis{&r.At}, &r.Text, &r.Scope, &r.Status, &r.Number, &r.Rounds, &r.Yes, &r.No, fixed(r.Empty[:]), &r.Float, &r.Nothing}
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
		// The last columns alone are for the driver; with all it reads the whole row.
		for count := range len(into(new(read))) + 1 {
			t.Run(fmt.Sprintf("%v, %d columns", mode, count), func(t *testing.T) {
				columns := fmt.Sprintf("select %s from (%s) as all_of_it (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11)", columnNames(count), query)
				rows, err := conn.Query(t.Context(), columns, mode)
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				if !rows.Next() {
					t.Fatal(rows.Err())
				}
				var raw, driver read
				raw.Empty, driver.Empty = [4]byte{1}, [4]byte{1}
				if err := (rawRow{rows}).Scan(into(&raw)[:count]...); err != nil {
					t.Fatal(err)
				}
				if err := rows.Scan(into(&driver)[:count]...); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(raw, driver) {
					t.Errorf("read was %+v instead of %+v", raw, driver)
				}
			})
		}
	}
	for name, c := range map[string]struct {
		query string
		dest  any
	}{
		"a number that is too large":   {"select 70000::integer", new(oauth.Status)},
		"a number below zero":          {"select (-1)::bigint", new(uint32)},
		"a hash of another length":     {"select '\\x0102'::bytea", fixed(new(oauth.Hash)[:])},
		"a text for a number":          {"select 'x'::text", new(int64)},
		"nothing where something must": {"select null::bigint", millis{new(time.Time)}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			if !rows.Next() {
				t.Fatal(rows.Err())
			}
			if err := (rawRow{rows}).Scan(c.dest); err == nil {
				t.Errorf("it was read as %v", c.dest)
			}
		})
	}
}

func columnNames(count int) string {
	names := ""
	for i := range count {
		if i > 0 {
			names += ", "
		}
		names += fmt.Sprintf("c%d", i)
	}
	return names
}
