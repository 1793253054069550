package portal

import (
	"net/http"
	"strconv"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/usage"
)

// periods are for how many days usage is shown, the usual one first.
func periods() []int { return []int{30, 7, 90} }

func (p *Portal) showUsage(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	days := periods()[0]
	for _, n := range periods() {
		if r.URL.Query().Get("days") == strconv.Itoa(n) {
			days = n
		}
	}
	report, err := p.Meter.Report(r.Context(), a.ID, days)
	if err != nil {
		return err
	}
	p.Pages.Write(w, r, http.StatusOK, page.Usage{
		Frame: frame(r, person, "applications", oauth.Say("Usage of %s", a.Name)), Tabs: page.TabsOf(a, "usage"),
		Days: days, Total: report.Total, Accounts: report.Accounts,
		Plots: []page.Plot{
			plot("calls", oauth.Say("API calls"), report, func(d usage.Day) int64 { return d.Calls }),
			plot("accounts", oauth.Say("Accounts"), report, func(d usage.Day) int64 { return d.Accounts }),
			plot("issued", oauth.Say("Tokens issued"), report, func(d usage.Day) int64 { return d.Issued }),
			plot("refreshed", oauth.Say("Refreshes"), report, func(d usage.Day) int64 { return d.Refreshed }),
			plot("errors", oauth.Say("Errors"), report, func(d usage.Day) int64 { return d.Errors }),
		},
	})
	return nil
}

func plot(name string, title oauth.Sentence, report usage.Report, of func(usage.Day) int64) page.Plot {
	drawn := page.Plot{Name: name, Title: title, Warning: name == "errors"}
	for _, d := range report.Days {
		drawn.Bars = append(drawn.Bars, page.Bar{Day: d.Day, Value: of(d)})
	}
	return drawn
}

// errorsPage is how many refused requests a page shows.
const errorsPage = 15

func (p *Portal) showErrors(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	// What is no id stands for the first page.
	before, _ := oauth.ParseID(r.URL.Query().Get("before"))
	code := r.URL.Query().Get("code")
	refusals, codes, err := p.Meter.Refusals(r.Context(), a.ID, usage.Page{Code: code, Before: before, Limit: errorsPage + 1})
	if err != nil {
		return err
	}
	content := page.Errors{
		Frame: frame(r, person, "applications", oauth.Say("Errors of %s", a.Name)), Tabs: page.TabsOf(a, "errors"), Refusals: refusals, Codes: codes, Code: code,
	}
	if len(refusals) > errorsPage {
		content.Refusals = refusals[:errorsPage]
		content.Older = refusals[errorsPage-1].ID.String()
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}
