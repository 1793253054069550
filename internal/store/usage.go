package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// UsageBatch is how many tallies, uses or refusals one write takes at most: so many that
// there are few statements, and so few that nobody waits for them.
const UsageBatch = 64

// inGroups calls f with groups of 64, 8 and 1, so that there are few statements to prepare.
func inGroups[T any](all []T, f func(group []T) error) error {
	for _, size := range []int{UsageBatch, 8, 1} {
		for len(all) >= size {
			if err := f(all[:size]); err != nil {
				return err
			}
			all = all[size:]
		}
	}
	return nil
}

// places writes the parameters of a list, as in ($2, $3, $4), after those before.
func places(before, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", $")
		b.WriteString(strconv.Itoa(before + i + 1))
	}
	return "(" + b.String()[2:] + ")"
}

// rowsOf writes the parameters of as many lists, as in ($1, $2), ($3, $4).
func rowsOf(n, columns int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = places(i*columns, columns)
	}
	return strings.Join(all, ", ")
}

// AddUsage adds tallies, at most UsageBatch of them, to what is known. Several processes
// may add to the same hour.
func (s *Store) AddUsage(ctx context.Context, tallies []oauth.Tally) error {
	// Everybody takes the rows in this order, so that nobody waits in a circle.
	tallies = append(totals(tallies), tallies...)
	slices.SortFunc(tallies, func(a, b oauth.Tally) int {
		return cmp.Or(a.Hour.Compare(b.Hour), bytes.Compare(a.ApplicationID[:], b.ApplicationID[:]))
	})
	return s.write(ctx, func(tx *transaction) error {
		if err := inGroups(tallies, func(group []oauth.Tally) error { return addHours(tx, group) }); err != nil {
			return err
		}
		for rest := tallies; len(rest) > 0; {
			// Seldom more than one: what could not be written for a while may be of two.
			day := dayOf(rest[0].Hour)
			n := slices.IndexFunc(rest, func(t oauth.Tally) bool { return !dayOf(t.Hour).Equal(day) })
			if n < 0 {
				n = len(rest)
			}
			if err := addDay(tx, day, sketchesOf(rest[:n])); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return seeSecrets(tx, tallies)
	})
}

// totals are the sums of tallies, one an hour, under the zero id: so the sum of all
// applications is read as fast as that of one.
func totals(tallies []oauth.Tally) []oauth.Tally {
	var all []oauth.Tally
	for _, t := range tallies {
		i := slices.IndexFunc(all, func(sum oauth.Tally) bool { return sum.Hour.Equal(t.Hour) })
		if i < 0 {
			i, all = len(all), append(all, oauth.Tally{Hour: t.Hour})
		}
		all[i].Usage = all[i].Add(t.Usage)
		all[i].Accounts.Merge(&t.Accounts)
	}
	return all
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func addHours(tx *transaction, group []oauth.Tally) error {
	var args []any
	for _, t := range group {
		args = append(args, t.ApplicationID[:], toMillis(t.Hour), t.Issued, t.Refreshed, t.Calls, t.Errors)
	}
	_, err := tx.exec(`insert into usage_hours (application_id, hour, issued, refreshed, calls, errors) values `+rowsOf(len(group), 6)+`
		on conflict (hour, application_id) do update set issued = usage_hours.issued + excluded.issued,
			refreshed = usage_hours.refreshed + excluded.refreshed, calls = usage_hours.calls + excluded.calls,
			errors = usage_hours.errors + excluded.errors`, args...)
	return err
}

// sketched is the accounts of an application on a day.
type sketched struct {
	application oauth.ID
	accounts    oauth.Sketch
}

// sketchesOf are the sketches of tallies, one an application, in the order of their ids.
func sketchesOf(tallies []oauth.Tally) []sketched {
	var all []sketched
	for _, t := range tallies {
		if t.Accounts == (oauth.Sketch{}) {
			continue
		}
		i, found := slices.BinarySearchFunc(all, t.ApplicationID, func(d sketched, id oauth.ID) int { return bytes.Compare(d.application[:], id[:]) })
		if !found {
			all = slices.Insert(all, i, sketched{application: t.ApplicationID})
		}
		all[i].accounts.Merge(&t.Accounts)
	}
	return all
}

// addDay merges sketches into those of a day. Most add nothing to what is stored, and
// then nothing is written: registers only grow, so that can be told without a lock.
func addDay(tx *transaction, day time.Time, sketches []sketched) error {
	stored, err := readSketches(tx, day, sketches, "")
	if err != nil {
		return err
	}
	var grown []sketched
	for _, d := range sketches {
		known := stored[d.application]
		if known == nil || known.Merge(&d.accounts) {
			grown = append(grown, d)
		}
	}
	if len(grown) == 0 {
		return nil
	}
	// A row must be there to be locked.
	err = inGroups(grown, func(group []sketched) error {
		var args []any
		for _, d := range group {
			args = append(args, d.application[:], toMillis(day), (&oauth.Sketch{}).Bytes())
		}
		_, err := tx.exec(`insert into usage_days (application_id, day, accounts) values `+rowsOf(len(group), 3)+` on conflict do nothing`, args...)
		return err
	})
	if err != nil {
		return err
	}
	if stored, err = readSketches(tx, day, grown, tx.lock); err != nil {
		return err
	}
	return inGroups(grown, func(group []sketched) error {
		var args []any
		for _, d := range group {
			d.accounts.Merge(stored[d.application])
			args = append(args, d.application[:], toMillis(day), d.accounts.Bytes())
		}
		_, err := tx.exec(`insert into usage_days (application_id, day, accounts) values `+rowsOf(len(group), 3)+`
			on conflict (day, application_id) do update set accounts = excluded.accounts`, args...)
		return err
	})
}

func readSketches(tx *transaction, day time.Time, of []sketched, lock string) (map[oauth.ID]*oauth.Sketch, error) {
	found := map[oauth.ID]*oauth.Sketch{}
	err := inGroups(of, func(group []sketched) error {
		args := []any{toMillis(day)}
		for _, d := range group {
			args = append(args, d.application[:])
		}
		rows, err := tx.query(`select application_id, accounts from usage_days where day = $1 and application_id in `+places(1, len(group))+`
			order by application_id`+lock, args...)
		_, err = collect(rows, err, func(r row) (none struct{}, err error) {
			var id oauth.ID
			var stored []byte
			if err := r.Scan(fixed(id[:]), &stored); err != nil {
				return none, err
			}
			parsed, err := oauth.ParseSketch(stored)
			found[id] = &parsed
			return none, err
		})
		return err
	})
	return found, err
}

// seeSecrets writes down, to the hour, when the secrets of applications were used. A
// secret that was replaced meanwhile is left out: which of the two it was is not known.
func seeSecrets(tx *transaction, tallies []oauth.Tally) error {
	for _, t := range tallies {
		for _, c := range []struct {
			used bool
			sql  string
		}{
			// Not before it was made, though that is later than the hour began.
			{t.SecretUsed, `update applications set secret_used_at = case when secret_created_at > $1 then secret_created_at else $1 end
				where id = $2 and secret_used_at < $1 and secret_created_at <= $3`},
			{t.PreviousSecretUsed, `update applications set previous_secret_used_at = $1 where id = $2 and previous_secret_used_at < $1 and secret_created_at <= $3`},
		} {
			if !c.used {
				continue
			}
			if _, err := tx.exec(c.sql, toMillis(t.Hour), t.ApplicationID[:], toMillis(t.Since)); err != nil {
				return err
			}
		}
	}
	return nil
}

// UsageDays lists what an application did on each day from then on that has something,
// the oldest first; of all applications together when application is zero.
func (s *Store) UsageDays(ctx context.Context, application oauth.ID, from time.Time) ([]oauth.UsageDay, error) {
	const sums = `select hour - hour % 86400000, cast(sum(issued) as bigint), cast(sum(refreshed) as bigint), cast(sum(calls) as bigint), cast(sum(errors) as bigint)
		from usage_hours where hour >= $1 and application_id = $2 group by 1 order by 1`
	args := []any{toMillis(dayOf(from)), application[:]}
	rows, err := s.engine.db().QueryContext(ctx, sums, args...)
	days, err := collect(rows, err, func(r row) (d oauth.UsageDay, err error) {
		err = r.Scan(millis{&d.Day}, &d.Issued, &d.Refreshed, &d.Calls, &d.Errors)
		return d, err
	})
	if err != nil {
		return days, err
	}
	rows, err = s.engine.db().QueryContext(ctx, `select day, accounts from usage_days where day >= $1 and application_id = $2`, args...)
	_, err = collect(rows, err, func(r row) (none struct{}, err error) {
		var day time.Time
		var stored []byte
		if err := r.Scan(millis{&day}, &stored); err != nil {
			return none, err
		}
		if i := slices.IndexFunc(days, func(d oauth.UsageDay) bool { return d.Day.Equal(day) }); i >= 0 {
			days[i].Accounts, err = oauth.ParseSketch(stored)
		}
		return none, err
	})
	return days, err
}
