package usage

import (
	"context"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// Report is what an application did on some days.
type Report struct {
	// Days are all days, the oldest first; the last is today and not over.
	Days  []Day
	Total oauth.Usage
	// Accounts is about for how many accounts it was, on all days together.
	Accounts int64
}

// Day is what an application did on a day that begins at Day, in UTC.
type Day struct {
	Day time.Time
	oauth.Usage
	Accounts int64
}

// Report tells what an application did today and on the days before, so many in all.
func (m *Meter) Report(ctx context.Context, application oauth.ID, days int) (Report, error) {
	m.upToDate(ctx)
	today := m.now().UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-days)
	known, err := m.store.UsageDays(ctx, application, first)
	if err != nil {
		return Report{}, err
	}
	var r Report
	var accounts oauth.Sketch
	for i := range days {
		day := Day{Day: first.AddDate(0, 0, i)}
		for _, k := range known {
			if k.Day.Equal(day.Day) {
				day.Usage, day.Accounts = k.Usage, k.Accounts.Estimate()
				r.Total = r.Total.Add(k.Usage)
				accounts.Merge(&k.Accounts)
			}
		}
		r.Days = append(r.Days, day)
	}
	r.Accounts = accounts.Estimate()
	return r, nil
}

// Page chooses among the refused requests of an application.
type Page = store.RefusalFilter

// Refusals lists refused requests of an application, the newest first, and the codes that
// there are.
func (m *Meter) Refusals(ctx context.Context, application oauth.ID, f Page) ([]oauth.Refusal, []string, error) {
	m.upToDate(ctx)
	refusals, err := m.store.Refusals(ctx, application, f)
	if err != nil {
		return nil, nil, err
	}
	codes, err := m.store.RefusalCodes(ctx, application)
	return refusals, codes, err
}

// upToDate lets developers see what they did just now, on this server.
func (m *Meter) upToDate(ctx context.Context) {
	if err := m.flushCounts(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("usage could not be written down; it is tried again", "cause", err)
	}
}
