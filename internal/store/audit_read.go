package store

import (
	"context"
	"fmt"
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
const auditWindow = 5000

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
	if !more && q.rest != nil {
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

// auditQuery is how a page of the log is found: by the index of one condition, in the
// order of the ids, and what of it meets the others.
type auditQuery struct {
	// lead are conditions of which each has an index that is ordered by id; a line meets
	// just one of them.
	lead []string
	// span bounds the ids; rest are the other conditions.
	span, rest []string
	ascending  bool
	args       []any
	// leading is how many of args belong to span and to the leading condition.
	leading int
}

// auditQuery makes the query of a page; nil where no line can meet the filter.
func (s *Store) auditQuery(ctx context.Context, f AuditFilter, at AuditCursor) (*auditQuery, error) {
	q := &auditQuery{ascending: !at.After.IsZero()}
	kinds := []string{f.Kind}
	if f.Kind != "" && !strings.Contains(f.Kind, ".") {
		all, err := s.AuditKinds(ctx)
		if err != nil {
			return nil, err
		}
		kinds = slices.DeleteFunc(all, func(kind string) bool { return oauth.AuditKind(kind).Group() != f.Kind })
		if len(kinds) == 0 {
			return nil, nil
		}
	}
	q.span = q.bounds(f, at)
	spanned := len(q.args)
	var all []string
	add := func(column string, value any) { all = append(all, column+" = "+q.bind(value)) }
	if !f.AccountID.IsZero() {
		add("account_id", f.AccountID[:])
	}
	if !f.ApplicationID.IsZero() {
		add("application_id", f.ApplicationID[:])
	}
	if !f.ActorID.IsZero() || f.ActorName != "" {
		add("actor_id", blob(f.ActorID[:]))
	}
	if f.Address != "" {
		add("address", f.Address)
	}
	if f.ActorID.IsZero() && f.ActorName != "" {
		add("actor_name", f.ActorName)
	}
	if f.Kind != "" {
		var each []string
		for _, kind := range kinds {
			each = append(each, "kind = "+q.bind(kind))
		}
		if len(all) == 0 {
			q.lead = each
			return q, nil
		}
		all = append(all, "("+strings.Join(each, " or ")+")")
	}
	switch len(all) {
	case 0:
		q.lead = []string{"true"}
	case 1:
		q.lead = all
	default:
		q.lead, q.rest, q.leading = all[:1], all[1:], spanned+1
	}
	return q, nil
}

// bounds are the conditions on the ids, which tell the time too.
func (q *auditQuery) bounds(f AuditFilter, at AuditCursor) []string {
	var all []string
	add := func(condition string, id oauth.ID) {
		if !id.IsZero() {
			all = append(all, condition+q.bind(id[:]))
		}
	}
	add("id >= ", firstID(f.From))
	add("id < ", firstID(f.Until))
	add("id < ", at.Before)
	add("id > ", at.After)
	return all
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

func (q *auditQuery) order() string {
	if q.ascending {
		return " order by id limit "
	}
	return " order by id desc limit "
}

// along selects by one of the leading conditions, as many lines as the argument says.
func (q *auditQuery) along(columns, lead, limit string) string {
	return `select ` + columns + ` from audit where ` + strings.Join(append([]string{lead}, q.span...), " and ") + q.order() + limit
}

// page is the query for so many lines.
func (q auditQuery) page(n int) (string, []any) {
	limit := q.bind(n)
	if q.rest != nil {
		window := q.bind(auditWindow)
		return `select ` + auditColumns + ` from (` + q.along(auditColumns, q.lead[0], window) + `) as window_ where ` +
			strings.Join(q.rest, " and ") + q.order() + limit, q.args
	}
	if len(q.lead) == 1 {
		return q.along(auditColumns, q.lead[0], limit), q.args
	}
	var each []string
	for _, lead := range q.lead {
		each = append(each, `select * from (`+q.along(auditColumns, lead, limit)+`) as one`)
	}
	return `select * from (` + strings.Join(each, " union all ") + `) as all_` + q.order() + limit, q.args
}

// last is the query for the last line of a full window.
func (q auditQuery) last() (string, []any) {
	return q.along("id", q.lead[0], "1") + fmt.Sprintf(" offset %d", auditWindow-1), q.args[:q.leading]
}
