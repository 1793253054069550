package admin

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/usage"
)

// overviewDays is how many days the plots of the overview show.
const overviewDays = 30

func (a *Admin) overview(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	counts, err := a.Store.Counts(r.Context())
	if err != nil {
		return err
	}
	report, err := a.Meter.Report(r.Context(), oauth.ID{}, overviewDays)
	if err != nil {
		return err
	}
	events, err := a.recent(r, store.AuditFilter{}, 8)
	if err != nil {
		return err
	}
	plot := func(name string, title oauth.Sentence, of func(usage.Day) int64) page.Plot {
		drawn := page.Plot{Name: name, Title: title, Warning: name == "errors"}
		for _, d := range report.Days {
			drawn.Bars = append(drawn.Bars, page.Bar{Day: d.Day, Value: of(d)})
		}
		return drawn
	}
	a.Pages.Write(w, r, http.StatusOK, page.AdminOverview{
		Frame:    frame(r, person, "overview", oauth.Say("Overview")),
		Accounts: counts.Accounts, Applications: counts.Applications,
		Submitted: counts.Submitted, Asking: counts.Asking, Suspended: counts.Suspended,
		Plots: []page.Plot{
			plot("issued", oauth.Say("Tokens issued"), func(d usage.Day) int64 { return d.Issued }),
			plot("refreshed", oauth.Say("Refreshes"), func(d usage.Day) int64 { return d.Refreshed }),
			plot("calls", oauth.Say("API calls"), func(d usage.Day) int64 { return d.Calls }),
			plot("errors", oauth.Say("Errors"), func(d usage.Day) int64 { return d.Errors }),
		},
		Events: events,
	})
	return nil
}
