package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
	"github.com/latchkey/latchkey/internal/oauth"
)

// The store that lists are read from.
const (
	manyAccounts     = 100_000
	manyApplications = 10_000
	manyGrants       = 20_000
	manyEvents       = 1_000_000
)

// TestListsUseIndexes demands of every list that the database finds its rows by an index
// when there are many, and prints how long each takes.
func TestListsUseIndexes(t *testing.T) {
	if testing.Short() || raceDetected {
		t.Skip("it fills a million rows")
	}
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { readLists(t, openAt(t, Options{Folder: t.TempDir()}), sqliteFill(), sqliteScan) })
	t.Run("PostgreSQL", func(t *testing.T) {
		readLists(t, openAt(t, Options{Database: realpostgres.Database(t)}), postgresFill(), postgresScan)
	})
}

// What reads a table from end to end, in the words of each database.
var (
	sqliteScan   = regexp.MustCompile(`SCAN (accounts|applications|consents|authorizations|audit)\b`)
	postgresScan = regexp.MustCompile(`Seq Scan on (accounts|applications|consents|authorizations|audit)\b|authorizations_by_application on .*\n\s*Index Cond: \(account_id`)
)

// filled is when the first row was made; there is one each 100 ms.
var filled = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// rowID is the id of the row with a number.
func rowID(n int) (id oauth.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(filled.UnixMilli()+int64(n)*100)<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(n))
	return id
}

// fill is how a database numbers and makes ids by itself.
type fill struct{ rows, id, nothing string }

func sqliteFill() []string {
	return statementsOf(fill{
		rows:    `with recursive r (n) as (select 0 union all select n + 1 from r where n < %d - 1) insert into %s select %s from r`,
		id:      `unhex(printf('%%012x7000%%016x', %d + (%s) * 100, (%s) + (-9223372036854775807 - 1)))`,
		nothing: `x''`,
	})
}

func postgresFill() []string {
	return statementsOf(fill{
		rows:    `with r (n) as (select generate_series(0, %d - 1)) insert into %s select %s from r`,
		id:      `decode(lpad(to_hex(%d + (%s)::bigint * 100), 12, '0') || '70008' || lpad(to_hex((%s)::bigint), 15, '0'), 'hex')`,
		nothing: `''::bytea`,
	})
}

func statementsOf(f fill) []string {
	id := func(n string) string { return fmt.Sprintf(f.id, filled.UnixMilli(), n, n) }
	insert := func(n int, into, values string) string { return fmt.Sprintf(f.rows, n, into, values) }
	return []string{
		insert(manyAccounts, `accounts (id, email, email_key, username, name, avatar_url, password, administrator, disabled_at, created_at)`,
			id("n")+`, 'p' || n || '@x.example', 'p' || n || '@x.example', 'user' || n, 'Person ' || n, '', '', n % 10000 = 7, case when n % 5000 = 3 then 1 else 0 end, 1`),
		// The second account has a tenth of all applications.
		insert(manyApplications, `applications (id, client_id, owner_id, name, site, redirect_uris, scope, public, resource_server, secret_hash, secret_created_at,
			previous_secret_hash, previous_secret_ends_at, suspended_at, created_at, submitted_at, verified_at, requested_scope)`,
			id("n")+`, 'client' || n, `+id("case when n % 10 = 0 then 1 else n end")+`, 'Application ' || n, '', 'https://x.example', 'profile', false, false, `+
				f.nothing+`, 0, `+f.nothing+`, 0, case when n % 500 = 1 then 1 else 0 end, 1, case when n % 500 = 2 then 1 else 0 end, case when n % 2 = 1 then 1 else 0 end,
				case when n % 1000 = 3 then 'community' else '' end`),
		insert(manyGrants, `consents (account_id, application_id, scope, identity, created_at, updated_at)`, id("n")+`, `+id("n % 10000")+`, 'profile', `+f.nothing+`, 1, 1`),
		insert(manyGrants, `authorizations (`+wholeAuthorization+`)`, id("n")+`, `+id("n % 10000")+`, `+id("n")+
			strings.ReplaceAll(`, 'authorization_code', 2, 'profile', 1, X, 1, '', true, '', 1, 1, 0, X, X, 'profile', 1, 1, X, X, '', 0, 0, X, 0, '', 1, 0`, "X", f.nothing)),
		// One kind is seldom, one account did half of everything, and often to the same one.
		insert(manyEvents, `audit (`+auditColumns+`)`,
			id("n")+`, case when n % 200000 = 5 then 'account.seldom' when n % 3 = 0 then 'session.often' else 'application.kind' || (n % 20) end, `+
				id("case when n % 2 = 0 then 1 else n % 5000 end")+`, 'Person', '192.0.2.' || (n % 200), `+
				id("case when n % 4 = 0 then 2 else n % 7000 end")+`, `+id("n % 10000")+`, 'It', ''`),
		`analyze`,
	}
}

// list is a query, as it is run, and the reading of a page by it.
type list struct {
	name string
	sql  string
	args []any
	read func() (int, error)
	// bounded lists read what they count from one end, and stop.
	bounded bool
	// index is one that has to be used; empty for whichever.
	index string
}

func readLists(t *testing.T, s *Store, statements []string, scan *regexp.Regexp) {
	began := time.Now()
	// To make an index of all rows at once is faster than to add them one by one.
	indexes := `select name, sql from sqlite_master where type = 'index' and tbl_name = 'audit' and sql is not null`
	if _, ok := s.engine.(*postgres); ok {
		indexes = `select indexname, indexdef from pg_indexes where tablename = 'audit' and indexname <> 'audit_pkey'`
	}
	statements = slices.Clone(statements)
	rows, err := s.engine.db().QueryContext(t.Context(), indexes)
	must(t, err)
	for rows.Next() {
		var name, sql string
		must(t, rows.Scan(&name, &sql))
		statements = slices.Insert(statements, 0, "drop index "+name)
		statements = slices.Insert(statements, len(statements)-1, sql)
	}
	must(t, errors.Join(rows.Err(), rows.Close()))
	for _, sql := range statements {
		fillBy(t, s, sql)
	}
	t.Logf("filled in %v", time.Since(began).Round(time.Millisecond))
	if a, err := s.Account(t.Context(), rowID(7)); err != nil || !a.Administrator {
		t.Fatalf("the account 7 is %+v: %v", a, err)
	}
	for _, l := range append(auditLists(t, s), otherLists(t, s)...) {
		plan := planOf(t, s, l)
		if scan.MatchString(plan) && !l.bounded {
			t.Errorf("%s reads a table from end to end:\n%s\n%s", l.name, l.sql, plan)
		}
		if !strings.Contains(plan, l.index) {
			t.Errorf("%s does not go by %s:\n%s\n%s", l.name, l.index, l.sql, plan)
		}
		var took []time.Duration
		rows := 0
		for range 7 {
			began := time.Now()
			var err error
			rows, err = l.read()
			must(t, err)
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		if took[3] > 20*time.Millisecond {
			t.Logf("slow: %s", plan)
		}
		t.Logf("%-45s %3d rows, median %7.2f ms, most %7.2f ms", l.name, rows, ms(took[3]), ms(took[6]))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// fillBy runs a statement beside the store, without its limits of time.
func fillBy(t *testing.T, s *Store, sql string) {
	t.Helper()
	switch e := s.engine.(type) {
	case *sqlite:
		// The indexes are filled in no order: where they fit into memory each page is written once.
		conn, err := openConnection(e.path, "cache_size(-400000) synchronous(OFF)", nil)
		must(t, err)
		_, err = conn.ExecContext(t.Context(), sql)
		must(t, err)
		must(t, conn.close())
	case *postgres:
		conn, err := e.pool.Acquire(t.Context())
		must(t, err)
		defer conn.Release()
		_, err = conn.Exec(t.Context(), `set statement_timeout = 0`)
		must(t, err)
		_, err = conn.Exec(t.Context(), sql)
		must(t, err)
	}
}

func planOf(t *testing.T, s *Store, l list) string {
	t.Helper()
	var plan, line string
	var n int64
	explain, into := "explain ", []any{&line}
	if _, ok := s.engine.(*sqlite); ok {
		explain, into = "explain query plan ", []any{&n, &n, &n, &line}
	}
	rows, err := s.engine.db().QueryContext(t.Context(), explain+l.sql, l.args...)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		must(t, rows.Scan(into...))
		plan += line + "\n"
	}
	must(t, rows.Err())
	return plan
}

// auditLists are the pages of the log with each filter, and with some together.
func auditLists(t *testing.T, s *Store) []list {
	t.Helper()
	middle := filled.Add(manyEvents / 2 * 100 * time.Millisecond)
	filters := map[string]AuditFilter{
		"audit": {}, "audit by a kind": {Kind: "application.kind4"}, "audit by a seldom kind": {Kind: "account.seldom"},
		"audit by a group": {Kind: "application"}, "audit by an actor": {ActorID: rowID(17)}, "audit by the busiest actor": {ActorID: rowID(1)},
		"audit by an account": {AccountID: rowID(23)}, "audit by an application": {ApplicationID: rowID(29)}, "audit by an address": {Address: "192.0.2.3"},
		"audit by time": {From: middle.Add(-time.Hour), Until: middle}, "audit by command": {ActorName: "command line"},
		"audit by two that seldom meet":   {AccountID: rowID(2), Kind: "account.seldom"},
		"audit by all":                    {Kind: "application", ActorID: rowID(1), AccountID: rowID(2), ApplicationID: rowID(4), Address: "192.0.2.4"},
		"audit by the busiest and a kind": {ActorID: rowID(1), Kind: "session"},
	}
	var all []list
	for name, f := range filters {
		for where, at := range map[string]AuditCursor{"": {}, ", on": {Before: rowID(manyEvents / 2)}, ", back": {After: rowID(manyEvents / 2)}} {
			q, err := s.auditQuery(t.Context(), f, at)
			must(t, err)
			sql, args := q.page(51)
			all = append(all, list{name: name + where, sql: sql, args: args, read: func() (int, error) {
				p, err := s.Audit(t.Context(), f, at, 50)
				return len(p.Events), err
			}})
		}
	}
	slices.SortFunc(all, func(a, b list) int { return strings.Compare(a.name, b.name) })
	return append(all, list{name: "kinds of events", sql: selectAuditKinds, bounded: true, read: func() (int, error) {
		kinds, err := s.AuditKinds(t.Context())
		return len(kinds), err
	}})
}

func otherLists(t *testing.T, s *Store) []list {
	t.Helper()
	ctx := t.Context()
	var all []list
	for _, p := range []Page{{Limit: 51}, {Before: rowID(5000), Limit: 51}} {
		for _, state := range []string{"", Administrators, Disabled} {
			all = append(all, list{name: "accounts " + state, sql: accountPage(state), args: []any{upTo(p.Before), 51}, read: func() (int, error) {
				found, err := s.AccountPage(ctx, state, p)
				return len(found), err
			}})
		}
		for _, state := range []string{"", Submitted, Asking, Verified, Suspended} {
			all = append(all, list{name: "applications " + state, sql: applicationPage(state), args: []any{upTo(p.Before), 51}, read: func() (int, error) {
				found, err := s.ApplicationPage(ctx, state, p)
				return len(found), err
			}})
		}
		all = append(all, list{name: "applications of an owner", sql: applicationPageOf, args: []any{blob(idBytes(1)), upTo(p.Before), 51}, read: func() (int, error) {
			found, err := s.ApplicationPageOf(ctx, rowID(1), p)
			return len(found), err
		}})
	}
	for _, prefix := range []string{"p", "Person 777", "user9", "nothing"} {
		key, keyEnd := beginning(EmailKey(prefix))
		name, nameEnd := beginning(prefix)
		all = append(all, list{name: "accounts that begin with " + prefix, sql: findAccounts, args: []any{key, keyEnd, name, nameEnd, 51}, read: func() (int, error) {
			found, err := s.FindAccounts(ctx, prefix, 51)
			return len(found), err
		}})
	}
	for _, prefix := range []string{"a", "Application 777", "nothing"} {
		from, to := beginning(prefix)
		all = append(all, list{name: "applications that begin with " + prefix, sql: findApplications, args: []any{from, to, 51}, read: func() (int, error) {
			found, err := s.FindApplications(ctx, prefix, 51)
			return len(found), err
		}})
	}
	for _, text := range []string{"", "777", "nothing"} {
		p := Page{Limit: 51}
		all = append(all, list{
			name: "managed applications with " + text, sql: managedApplications,
			args: []any{idBytes(1), "co-owner", containing(text), upTo(p.Before), 51},
			read: func() (int, error) {
				found, err := s.ManagedApplications(ctx, rowID(1), text, p)
				return len(found), err
			},
		})
	}
	authorizations := func(name, index string, f AuthorizationFilter) list {
		f.Limit = 1000
		sql, args := s.authorizationList(f)
		// A page of all is read from the end of the table.
		return list{name: name, sql: sql, args: args, bounded: index == "", index: index, read: func() (int, error) {
			found, err := s.Authorizations(ctx, f)
			return len(found), err
		}}
	}
	return append(all,
		list{name: "applications by role", sql: applicationsByRole, args: []any{idBytes(1), "co-owner"}, read: func() (int, error) {
			found, err := s.ApplicationsByRole(ctx, rowID(1), "co-owner")
			return len(found), err
		}},
		list{name: "what lives of an application", sql: livingOfApplication, args: []any{idBytes(1), CountedTo, 1}, read: func() (int, error) {
			_, err := s.LivingOfApplication(ctx, rowID(1))
			return 1, err
		}},
		list{name: "what lives of an account", sql: livingOfAccount, args: []any{idBytes(1), CountedTo, 1}, read: func() (int, error) {
			_, err := s.LivingOfAccount(ctx, rowID(1))
			return 1, err
		}},
		list{name: "what an account gave", sql: selectLivingGrants, args: []any{idBytes(1)}, read: func() (int, error) {
			living, err := s.LivingGrants(ctx, rowID(1))
			return len(living), err
		}},
		authorizations("authorizations", "", AuthorizationFilter{}),
		authorizations("authorizations of an account", "authorizations_by_application", AuthorizationFilter{AccountID: rowID(1)}),
		authorizations("authorizations of an application", "authorizations_by_application", AuthorizationFilter{ApplicationID: rowID(1)}),
		authorizations("authorizations of both", "authorizations_by_application", AuthorizationFilter{AccountID: rowID(1), ApplicationID: rowID(1)}),
		list{name: "counts", sql: selectCounts, args: []any{CountedTo}, bounded: true, read: func() (int, error) {
			_, err := s.Counts(ctx)
			return 1, err
		}})
}

func idBytes(n int) []byte {
	id := rowID(n)
	return id[:]
}
