package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// TestReadsAreNeverPlannedAsScans looks at plans that are made while the tables are empty:
// they are kept.
func TestReadsAreNeverPlannedAsScans(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Start(t).Database(t)})
	for _, query := range []string{selectCheckByID, selectAccountByID} {
		if plan := lines(t, s.engine.(*postgres).reads, `explain `+query, [][]byte{make([]byte, 16)}); !strings.Contains(plan, "Index Cond: (id = ANY (") {
			t.Errorf("%s is planned as\n%s", query, plan)
		}
	}
}

// TestWritesArePlannedOnceOnlyWhereThereIsMuch looks at what batches run with, on an empty
// table and on one of which nobody but its size says how much is in it.
func TestWritesArePlannedOnceOnlyWhereThereIsMuch(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Start(t).Database(t)})
	p := s.engine.(*postgres)
	mode := func() string {
		t.Helper()
		p.batches = 0
		must(t, s.Issue(t.Context(), oauth.Authorization{ID: surplusID(t), GrantType: oauth.GrantClientCredentials, SweepAfter: s.Now().Add(time.Hour)}))
		// The answer comes before the connection is given back.
		for p.writes.Stat().AcquiredConns() > 0 {
			<-time.After(time.Millisecond)
		}
		return lines(t, p.writes, `show plan_cache_mode`)
	}
	if mode := mode(); mode != "force_custom_plan" {
		t.Errorf("an empty table has %s", mode)
	}
	_, err := p.pool.Exec(t.Context(), `alter table authorizations set (autovacuum_enabled = false)`)
	must(t, err)
	_, err = p.pool.Exec(t.Context(), `insert into authorizations (`+wholeAuthorization+`)
		select decode(lpad(to_hex(i), 32, '0'), 'hex'), '', '', 'authorization_code', 2, 'profile', 0, '', 0, repeat('a', 300), true, '', 1, 0, 0, '',
			repeat('a', 32)::bytea, '', 0, 0, repeat('b', 32)::bytea, '', '', 0, 0, '', 0, '', 0, 0 from generate_series(1, 20000) as i`)
	must(t, err)
	if mode := mode(); mode != "force_generic_plan" {
		t.Errorf("a large table has %s", mode)
	}
	for name, one := range map[string]struct {
		query      string
		parameters int
		want       string
	}{
		"load":                        {selectForBatch, 1, "(id = ANY ($1))"},
		"advance":                     {advanceMany, 11, "(id = v.id)"},
		"advance the same":            {advanceSame, 13, "(id = v.id)"},
		"revoke":                      {revokeMany, 6, "(id = v.id)"},
		"update":                      {updateMany, 21, "(id = v.id)"},
		"revoke by ids":               {endMany, 6, "(id = v.id)"},
		"revoke by ids after locking": {endMany, 6, "(id = named.id)"},
	} {
		_, err := p.writes.Exec(t.Context(), `prepare "`+name+`" as `+one.query)
		must(t, err)
		plan := lines(t, p.writes, `explain execute "`+name+`" (null`+strings.Repeat(", null", one.parameters-1)+`)`)
		if !strings.Contains(plan, "Index Cond: "+one.want) || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, " Join ") {
			t.Errorf("%s is planned as\n%s", one.query, plan)
		}
	}
}

// lines are what a query found, each with one column.
func lines(t *testing.T, on *pgxpool.Pool, query string, args ...any) string {
	t.Helper()
	rows, err := on.Query(t.Context(), query, args...)
	must(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return strings.Join(found, "\n")
}

// TestRememberedRowsAreLockedInTheOrderOfTheirIDs holds up a batch at the third of five rows,
// which were written, and are asked for, in another order.
func TestRememberedRowsAreLockedInTheOrderOfTheirIDs(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Start(t).Database(t)})
	p, now := s.engine.(*postgres), s.Now()
	refresh := oauth.Token{Secret: oauth.Secret{1}}
	batch := make([]*work, 5)
	for i := range batch {
		refresh.ID = newID(t, now.Add(-time.Duration(i)*time.Second))
		a := oauth.Authorization{
			ID: refresh.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive, Scope: "profile", CreatedAt: now,
			RotatedAt: now, Generation: 1, RefreshHash: refresh.Hash(oauth.KindRefreshToken),
		}
		must(t, s.Issue(t.Context(), a))
		p.recent.add(&a)
		batch[(3*i)%len(batch)] = &work{event: oauth.Rotation{Refresh: refresh, Allowed: "profile", AccessHash: oauth.Hash{1}, Limits: oauth.RefreshLimits{Idle: time.Hour}}}
	}
	ids := make([][]byte, len(batch))
	for i, w := range batch {
		id := w.id()
		ids[i] = id[:]
	}
	slices.SortFunc(ids, bytes.Compare)
	inWay, err := p.pool.Begin(t.Context())
	must(t, err)
	_, err = inWay.Exec(t.Context(), `select from authorizations where id = $1 for update`, ids[2])
	must(t, err)
	committed := make(chan error, 1)
	go func() { committed <- p.commit(t.Context(), batch) }()
	await(t, "the batch waits for the row", func() bool {
		return lines(t, p.pool, `select count(*)::text from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())
			or not granted and locktype = 'transactionid'`) != "0"
	})
	for i, id := range ids {
		free := lines(t, p.pool, `select count(*)::text from (select from authorizations where id = $1 for update skip locked) as free`, id) == "1"
		if free != (i > 2) {
			t.Errorf("row %d of those in the order of their ids is free: %v", i+1, free)
		}
	}
	must(t, inWay.Rollback(t.Context()))
	must(t, <-committed)
	if left := lines(t, p.pool, `select count(*)::text from authorizations where generation <> 2`); left != "0" {
		t.Errorf("%s rows were not advanced", left)
	}
}
