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
		"advance the same":            {advanceSame, 13, "(id = v_1.id)"},
		"advance after locking":       {advanceSame, 13, "(id = v.id)"},
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

// TestRowsAreLockedInTheOrderOfTheirIDs holds up a batch at the third of five rows, which were
// written, and are asked for, in another order.
func TestRowsAreLockedInTheOrderOfTheirIDs(t *testing.T) {
	t.Parallel()
	s := openAt(t, Options{Database: realpostgres.Start(t).Database(t)})
	rotation := func(refresh oauth.Token) oauth.Event {
		return oauth.Rotation{Refresh: refresh, Allowed: "profile", AccessHash: oauth.Hash{1}, Limits: oauth.RefreshLimits{Idle: time.Hour}}
	}
	lockInOrder(t, s, "what is loaded", rotation)
	lockInOrder(t, s, "what is remembered", func(refresh oauth.Token) oauth.Event {
		a, err := s.Authorization(t.Context(), refresh.ID)
		must(t, err)
		s.engine.(*postgres).recent.add(&a)
		return rotation(refresh)
	})
	lockInOrder(t, s, "what is revoked by ids", func(refresh oauth.Token) oauth.Event {
		return oauth.Revocation{ID: refresh.ID, Reason: oauth.ReasonRequested, By: oauth.Revoker{Token: refresh}}
	})
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
