package store

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Audited writes down what changed nothing in the store.
func (s *Store) Audited(ctx context.Context, kind oauth.AuditKind, subject oauth.AuditSubject, detail string) error {
	return s.write(ctx, func(tx *transaction) error { return tx.audit(kind, subject, detail) })
}

const auditColumns = `id, kind, actor_id, actor_name, address, account_id, application_id, subject, detail`

func scanAudit(r row) (e oauth.AuditEvent, err error) {
	err = r.Scan(fixed(e.ID[:]), &e.Kind, fixed(e.Actor.AccountID[:]), &e.Actor.Name, &e.Actor.Address,
		fixed(e.Subject.AccountID[:]), fixed(e.Subject.ApplicationID[:]), &e.Subject.Name, &e.Detail)
	return e, err
}

// AuditFilter selects lines of the audit log. A zero field selects all.
type AuditFilter struct {
	// Kind is a kind, or the group of several.
	Kind string
	// ActorID is who did it. ActorName is for those that are no account: a command, the
	// server, somebody who was not signed in.
	ActorID   oauth.ID
	ActorName string
	AccountID oauth.ID
	// ApplicationID is what it was done to.
	ApplicationID oauth.ID
	// Address is the whole address it came from.
	Address string
	// From and Until bound when it happened; Until itself is not included.
	From, Until time.Time
}

// AuditCursor is where a page of the log begins: with the newest line, or with the line
// that is next older than Before, or so that it ends with the line next newer than After.
type AuditCursor struct{ Before, After oauth.ID }

// AuditPage is some lines of the log, the newest first.
type AuditPage struct {
	Events []oauth.AuditEvent
	// Older is the cursor of what follows, Newer of what goes before; nil for nothing.
	Older, Newer *AuditCursor
	// Reached is set when the page is not full although there may be more: the lines
	// back (or on) to this one were looked at.
	Reached oauth.ID
}

// auditWindow is how many lines that meet one condition are looked at for the others.
// It bounds what a page costs, however seldom the conditions meet.
const auditWindow = 2000

// Audit reads a page of the log.
func (s *Store) Audit(ctx context.Context, f AuditFilter, at AuditCursor, limit int) (AuditPage, error) {
	q, err := s.auditQuery(ctx, f, at)
	if err != nil || q == nil {
		return AuditPage{}, err
	}
	sql, args := q.page(limit + 1)
	rows, err := s.engine.db().QueryContext(ctx, sql, args...)
	events, err := collect(rows, err, scanAudit)
	if err != nil {
		return AuditPage{}, err
	}
	more := len(events) > limit
	if more {
		events = events[:limit]
	}
	var reached oauth.ID
	if !more && len(q.rest) > 0 {
		if reached, err = s.auditReached(ctx, q); err != nil {
			return AuditPage{}, err
		}
	}
	return turned(events, at, more, reached), nil
}

// turned is the page of events that were read in the direction of a cursor.
func turned(events []oauth.AuditEvent, at AuditCursor, more bool, reached oauth.ID) AuditPage {
	p := AuditPage{Events: events, Reached: reached}
	onward := reached
	if more {
		onward = events[len(events)-1].ID
	}
	back := at.Before
	if !at.After.IsZero() {
		back = at.After
	}
	if len(events) > 0 {
		back = events[0].ID
	}
	if at.After.IsZero() {
		if !onward.IsZero() {
			p.Older = &AuditCursor{Before: onward}
		}
		if !at.Before.IsZero() {
			p.Newer = &AuditCursor{After: back}
		}
		return p
	}
	slices.Reverse(p.Events)
	p.Older = &AuditCursor{Before: back}
	if !onward.IsZero() {
		p.Newer = &AuditCursor{After: onward}
	}
	return p
}

// auditReached is the last line that was looked at, zero where there is none after it.
func (s *Store) auditReached(ctx context.Context, q *auditQuery) (oauth.ID, error) {
	sql, args := q.last()
	rows, err := s.engine.db().QueryContext(ctx, sql, args...)
	ids, err := collect(rows, err, scanID)
	if err != nil || len(ids) == 0 {
		return oauth.ID{}, err
	}
	return ids[0], nil
}

func scanID(r row) (id oauth.ID, err error) {
	err = r.Scan(fixed(id[:]))
	return id, err
}

// AuditKinds lists the kinds that occur, in order. It goes from one to the next by the
// index: there are few, however many lines.
func (s *Store) AuditKinds(ctx context.Context) ([]string, error) {
	rows, err := s.engine.db().QueryContext(ctx, selectAuditKinds)
	return collect(rows, err, func(r row) (kind string, err error) {
		err = r.Scan(&kind)
		return kind, err
	})
}

const selectAuditKinds = `with recursive kinds (kind) as (
		select (select kind from audit order by kind limit 1)
		union all
		select (select audit.kind from audit where audit.kind > kinds.kind order by audit.kind limit 1) from kinds where kinds.kind is not null
	) select kind from kinds where kind is not null`

// auditQuery is how a page of the log is found: by the index of one column, in the order
// of the ids, and what of it meets the other conditions.
type auditQuery struct {
	// column has an index that is ordered by id, and a line has just one of the values;
	// the empty column stands for all lines.
	column string
	values []any
	// low and high bound the ids, which tell the time too; both are included.
	low, high []byte
	// rest are the other conditions.
	rest      []condition
	ascending bool
	args      []any
}

// condition is that a column has one of some values.
type condition struct {
	column string
	values []any
}

// auditQuery makes the query of a page; nil where no line can meet the filter.
func (s *Store) auditQuery(ctx context.Context, f AuditFilter, at AuditCursor) (*auditQuery, error) {
	kinds := []any{f.Kind}
	if f.Kind != "" && !strings.Contains(f.Kind, ".") {
		all, err := s.AuditKinds(ctx)
		if err != nil {
			return nil, err
		}
		kinds = nil
		for _, kind := range all {
			if oauth.AuditKind(kind).Group() == f.Kind {
				kinds = append(kinds, kind)
			}
		}
		if len(kinds) == 0 {
			return nil, nil
		}
	}
	var all []condition
	add := func(wanted bool, column string, values ...any) {
		if wanted {
			all = append(all, condition{column, values})
		}
	}
	add(!f.AccountID.IsZero(), "account_id", f.AccountID[:])
	add(!f.ApplicationID.IsZero(), "application_id", f.ApplicationID[:])
	add(!f.ActorID.IsZero() || f.ActorName != "", "actor_id", blob(f.ActorID[:]))
	add(f.Address != "", "address", f.Address)
	add(f.Kind != "", "kind", kinds...)
	add(f.ActorID.IsZero() && f.ActorName != "", "actor_name", f.ActorName)
	q := &auditQuery{ascending: !at.After.IsZero(), values: []any{nil}}
	q.low, q.high = bounds(f, at)
	if len(all) > 0 {
		q.column, q.values, q.rest = all[0].column, all[0].values, all[1:]
	}
	return q, nil
}

// bounds are the lowest and the highest id that a page may have.
func bounds(f AuditFilter, at AuditCursor) (low, high []byte) {
	from := firstID(f.From)
	low, high = from[:], upTo(oauth.ID{})
	for _, end := range []oauth.ID{firstID(f.Until), at.Before} {
		if !end.IsZero() && bytes.Compare(end[:], high) <= 0 {
			high = beside(end, -1)
		}
	}
	if !at.After.IsZero() && bytes.Compare(at.After[:], low) >= 0 {
		low = beside(at.After, 1)
	}
	return low, high
}

// beside is the id before or after another, or that one where there is none: a request may
// name any.
func beside(id oauth.ID, step int) []byte {
	number := new(big.Int).SetBytes(id[:])
	if number.Add(number, big.NewInt(int64(step))); number.Sign() < 0 || number.BitLen() > 8*len(id) {
		return id[:]
	}
	return number.FillBytes(make([]byte, len(id)))
}

// firstID is before every id that was made at a time or later, and after the others.
func firstID(at time.Time) (id oauth.ID) {
	if at.IsZero() {
		return id
	}
	ms := uint64(max(at.UnixMilli(), 1))
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}

func (q *auditQuery) bind(value any) string {
	q.args = append(q.args, value)
	return fmt.Sprintf("$%d", len(q.args))
}

func (q *auditQuery) order(columns ...string) string {
	if !q.ascending {
		return " order by " + strings.Join(columns, " desc, ") + " desc limit "
	}
	return " order by " + strings.Join(columns, ", ") + " limit "
}

// along selects the lines with one of the values. The column is compared together with
// the id although it has one value, and both bounds are included: so the query planner of
// PostgreSQL neither goes by the ids alone, in the hope that the value comes soon, nor
// takes the lines for few and sorts them.
func (q *auditQuery) along(columns string, value any, limit int) string {
	if q.column == "" {
		return `select ` + columns + ` from audit where id >= ` + q.bind(q.low) + ` and id <= ` + q.bind(q.high) + q.order("id") + q.bind(limit)
	}
	v := q.bind(value)
	return `select ` + columns + ` from audit where (` + q.column + `, id) >= (` + v + `, ` + q.bind(q.low) + `) and (` +
		q.column + `, id) <= (` + v + `, ` + q.bind(q.high) + `)` + q.order(q.column, "id") + q.bind(limit)
}

// page is the query for so many lines.
func (q auditQuery) page(n int) (string, []any) {
	if len(q.rest) == 0 && len(q.values) == 1 {
		return q.along(auditColumns, q.values[0], n), q.args
	}
	if len(q.rest) == 0 {
		var each []string
		for _, value := range q.values {
			each = append(each, `select * from (`+q.along(auditColumns, value, n)+`) as one`)
		}
		return `select * from (` + strings.Join(each, " union all ") + `) as all_` + q.order("id") + q.bind(n), q.args
	}
	window := q.along(auditColumns, q.values[0], auditWindow)
	var rest []string
	for _, c := range q.rest {
		var some []string
		for _, value := range c.values {
			some = append(some, q.bind(value))
		}
		rest = append(rest, c.column+" in ("+strings.Join(some, ", ")+")")
	}
	return `select ` + auditColumns + ` from (` + window + `) as window_ where ` + strings.Join(rest, " and ") + q.order("id") + q.bind(n), q.args
}

// last is the query for the last line of a full window.
func (q auditQuery) last() (string, []any) {
	return q.along("id", q.values[0], 1) + fmt.Sprintf(" offset %d", auditWindow-1), q.args
}
