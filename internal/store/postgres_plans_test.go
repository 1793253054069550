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
	s := openAt(t, Options{Database: realpostgres.Database(t)})
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
	s := openAt(t, Options{Database: realpostgres.Database(t)})
	p := s.engine.(*postgres)
	mode := func() string {
		t.Helper()
		p.batches = 0
		must(t, s.Issue(t.Context(), oauth.Authorization{ID: surplusID(t), GrantType: oauth.GrantClientCredentials, SweepAfter: s.Now().Add(time.Hour)}))
		// The answer comes before the connection is given back.
		await(t, "the connection is given back", func() bool { return p.writes.Stat().AcquiredConns() == 0 })
		return lines(t, p.writes, `show plan_cache_mode`)
	}
	if mode := mode(); mode != "force_custom_plan" {
		t.Errorf("an empty table has %s", mode)
	}
	_, err := p.pool.Exec(t.Context(), `alter table authorizations set (autovacuum_enabled = false)`)
	must(t, err)
	fillForPlans(t, p, 1, 20000)
	if mode := mode(); mode != "force_generic_plan" {
		t.Errorf("a large table has %s", mode)
	}
	for name, one := range map[string]struct {
		query      string
		parameters int
		want       string
	}{
		"load":             {selectForBatch, 1, "(id = ANY ($1))"},
		"advance":          {advanceMany, 11, "(id = v.id)"},
		"advance the same": {advanceSame, 13, "(id = v.id)"},
		"revoke":           {revokeMany, 6, "(id = v.id)"},
		"update":           {updateMany, 21, "(id = v.id)"},
		"revoke by ids":    {endMany, 6, "(id = v.id)"},
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

// TestRowsOfABatchAreNotJoined looks at a table in which a batch names a good part of the rows: to
// join the two would be cheaper than to look each of them up, but find them in an order of its own.
func TestRowsOfABatchAreNotJoined(t *testing.T) {
	t.Parallel()
	p := openAt(t, Options{Database: realpostgres.Database(t)}).engine.(*postgres)
	fillForPlans(t, p, 1, 300)
	_, err := p.pool.Exec(t.Context(), `analyze authorizations`)
	must(t, err)
	batch := make([]*oauth.Authorization, 64)
	for i := range batch {
		batch[i] = new(oauth.Authorization)
	}
	ids, reasons := column(batch, func(a *authorization) []byte { return a.ID[:] }), make([]string, len(batch))
	for query, args := range map[string][]any{
		advanceSame: slices.Concat(advancingColumnsOf(batch), decidingColumnsOf(batch), []any{make([]int64, len(batch)), ids}),
		endMany:     {ids, ids, reasons, 0, 0, 0},
	} {
		if plan := lines(t, p.writes, `explain `+query, args...); strings.Contains(plan, "Hash Join") || strings.Contains(plan, "Merge Join") || !strings.Contains(plan, "Nested Loop") {
			t.Errorf("%s is planned as\n%s", query, plan)
		}
	}
}

// fillForPlans adds authorizations with ids that are these numbers.
func fillForPlans(t *testing.T, p *postgres, from, to int) {
	t.Helper()
	_, err := p.pool.Exec(t.Context(), `insert into authorizations (`+wholeAuthorization+`)
		select decode(lpad(to_hex(i), 32, '0'), 'hex'), '', '', 'authorization_code', 2, 'profile', 0, '', 0, repeat('a', 300), true, '', 1, 0, 0, '',
			repeat('a', 32)::bytea, '', 0, 0, repeat('b', 32)::bytea, '', '', 0, 0, '', 0, '', 0, 0 from generate_series($1::int, $2::int) as i`, from, to)
	must(t, err)
}

// TestRowsAreLockedInTheOrderOfTheirIDs holds up a batch at the third of five rows, which were
// written, and are asked for, in another order; once when PostgreSQL knows nothing of the table,
// and once when it knows how few rows it has.
func TestRowsAreLockedInTheOrderOfTheirIDs(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Database(t)})
	rotation := func(refresh oauth.Token) oauth.Event {
		return oauth.Rotation{Refresh: refresh, Allowed: "profile", AccessHash: oauth.Hash{1}, Limits: oauth.RefreshLimits{Idle: time.Hour}}
	}
	for _, known := range []string{"", " of a small table"} {
		lockInOrder(t, s, "what is loaded"+known, rotation)
		lockInOrder(t, s, "what is remembered"+known, func(refresh oauth.Token) oauth.Event {
			a, err := s.Authorization(t.Context(), refresh.ID)
			must(t, err)
			s.engine.(*postgres).recent.add(&a)
			return rotation(refresh)
		})
		lockInOrder(t, s, "what is revoked by ids"+known, func(refresh oauth.Token) oauth.Event {
			return oauth.Revocation{ID: refresh.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{Token: refresh}}
		})
		_, err := s.engine.(*postgres).pool.Exec(t.Context(), `analyze authorizations`)
		must(t, err)
	}
}

func lockInOrder(t *testing.T, s *Store, what string, event func(refresh oauth.Token) oauth.Event) {
	t.Helper()
	p, now := s.engine.(*postgres), s.Now()
	refresh := oauth.Token{Secret: oauth.Secret{1}}
	batch := make([]*work, 5)
	for i := range batch {
		refresh.ID = newID(t, now.Add(-time.Duration(i)*time.Second))
		must(t, s.Issue(t.Context(), oauth.Authorization{
			ID: refresh.ID, GrantType: oauth.GrantAuthorizationCode, Status: oauth.StatusActive, Scope: "profile", CreatedAt: now,
			RotatedAt: now, Generation: 1, RefreshHash: refresh.Hash(oauth.KindRefreshToken),
		}.UntilIdle(24*time.Hour)))
		batch[(3*i)%len(batch)] = &work{event: event(refresh)}
	}
	ids := make([][]byte, len(batch))
	for i, w := range batch {
		id := w.id()
		ids[i] = id[:]
	}
	slices.SortFunc(ids, bytes.Compare)
	inTheWay, err := p.pool.Begin(t.Context())
	must(t, err)
	_, err = inTheWay.Exec(t.Context(), `select from authorizations where id = $1 for update`, ids[2])
	must(t, err)
	committed := make(chan error, 1)
	go func() { committed <- p.commit(t.Context(), batch) }()
	await(t, "the batch waits for the row", func() bool {
		return lines(t, p.pool, `select count(*)::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) != "0"
	})
	for i, id := range ids {
		free := lines(t, p.pool, `select count(*)::text from (select from authorizations where id = $1 for update skip locked) as free`, id) == "1"
		if free != (i > 2) {
			t.Errorf("%s: row %d of those in the order of their ids is free: %v", what, i+1, free)
		}
	}
	must(t, inTheWay.Rollback(t.Context()))
	must(t, <-committed)
	for _, id := range ids {
		if row, err := s.Authorization(t.Context(), oauth.ID(id)); err != nil || row.Generation != 2 && row.Status != oauth.StatusRevoked {
			t.Errorf("%s: nothing was done to a row", what)
		}
	}
}
