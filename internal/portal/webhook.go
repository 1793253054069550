package portal

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/throttle"
	"github.com/latchkey/latchkey/internal/webhook"
)

// webhookRoutes are the tab of an application's webhook.
func (p *Portal) webhookRoutes() map[string]handler {
	return map[string]handler{
		"GET /settings/applications/{id}/webhook":                        p.managed(p.showWebhook),
		"POST /settings/applications/{id}/webhook":                       p.managed(p.setWebhook),
		"POST /settings/applications/{id}/webhook/test":                  p.managed(p.testWebhook),
		"POST /settings/applications/{id}/webhook/secret":                p.managed(p.rotateWebhook),
		"POST /settings/applications/{id}/webhook/delete":                p.managed(p.deleteWebhook),
		"POST /settings/applications/{id}/webhook/deliveries/{delivery}": p.managed(p.redeliver),
	}
}

func webhookPath(a oauth.Application) string { return applicationPath(a.ClientID) + "/webhook" }

func (p *Portal) showWebhook(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	hook, err := p.Webhooks.Of(r.Context(), a.ID)
	chosen := hook.Events
	if errors.Is(err, webhook.ErrNotFound) {
		chosen, err = oauth.WebhookEvents(), nil
	}
	if err != nil {
		return err
	}
	return p.writeWebhook(w, r, person, http.StatusOK, a, page.WebhookForm{URL: hook.URL, Events: webhookChoices(chosen)})
}

// writeWebhook shows the tab with the form as it was typed.
func (p *Portal) writeWebhook(w http.ResponseWriter, r *http.Request, person *signin.Person, status int, a oauth.Application, form page.WebhookForm) error {
	content := page.Webhook{
		Frame: frame(r, person, "applications", oauth.Say("Webhook of %s", a.Name)), Tabs: page.TabsOf(a, "webhook"), ClientID: a.ClientID, Form: form,
	}
	if said := webhookNotice(r); !said.IsZero() {
		content.Notice = said
	}
	hook, err := p.Webhooks.Of(r.Context(), a.ID)
	if err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	if err == nil {
		content.Exists, content.Generation = true, hook.Generation
		content.Secret, content.Overlap = p.Webhooks.Secret(hook), p.Webhooks.Overlap(hook)
		if err := p.fillDeliveries(r, a, &content); err != nil {
			return err
		}
	}
	p.Pages.Write(w, r, status, content)
	return nil
}

// fillDeliveries adds a page of the log.
func (p *Portal) fillDeliveries(r *http.Request, a oauth.Application, content *page.Webhook) error {
	before, paged := oauth.ParseID(r.URL.Query().Get("before"))
	log, more, err := p.Webhooks.Log(r.Context(), a.ID, before)
	if err != nil {
		return err
	}
	for _, d := range log {
		content.Deliveries = append(content.Deliveries, shownDelivery(d))
	}
	if content.Newest = !paged; more {
		content.Older = log[len(log)-1].ID.String()
	}
	return nil
}

// webhookNotice is notice for this tab.
func webhookNotice(r *http.Request) oauth.Sentence {
	switch signin.Done(r) {
	case "sent":
		return oauth.Say("Sent. How it went is below.")
	case "rotated":
		return oauth.Say("The secret is replaced.")
	case "rotated-before":
		return oauth.Say("Nothing was changed: the secret was replaced, or the webhook deleted, since you opened the page.")
	case "webhook-deleted":
		return oauth.Say("The webhook is deleted.")
	}
	return oauth.Sentence{}
}

func webhookChoices(chosen []oauth.WebhookEvent) []page.WebhookChoice {
	var all []page.WebhookChoice
	for _, e := range oauth.WebhookEvents() {
		all = append(all, page.WebhookChoice{Name: e, Description: described(e), Chosen: slices.Contains(chosen, e)})
	}
	return all
}

func described(e oauth.WebhookEvent) oauth.Sentence {
	switch e {
	case oauth.EventAuthorizationRevoked:
		return oauth.Say("An authorization ended without a request of yours: the account disconnected, a token was stolen, …")
	case oauth.EventSecretEnding:
		return oauth.Say("A secret that you replaced stops working within 24 hours.")
	case oauth.EventApplicationSuspended:
		return oauth.Say("The application was suspended.")
	case oauth.EventApplicationResumed:
		return oauth.Say("The application works again.")
	}
	return oauth.Sentence{}
}

// shownDelivery says in words how a delivery stands.
func shownDelivery(d oauth.Delivery) page.WebhookDelivery {
	shown := page.WebhookDelivery{ID: d.ID.String(), Event: d.Event, At: d.ID.Time(), Attempts: d.Attempts, Outcome: outcomeOf(d), Body: indented(d.Body)}
	switch {
	case !d.DeliveredAt.IsZero():
		shown.State, shown.Delivered = oauth.Say("delivered"), true
	case d.DueAt.IsZero():
		shown.State, shown.Failed = oauth.Say("given up"), true
	case d.Problem != "":
		shown.State, shown.Failed, shown.Next = oauth.Say("failed"), true, d.DueAt
	default:
		shown.State = oauth.Say("on its way")
	}
	return shown
}

func outcomeOf(d oauth.Delivery) oauth.Sentence {
	switch d.Problem {
	case webhook.ProblemForbidden:
		return oauth.Say("The URL leads to an address that is not public.")
	case webhook.ProblemUnresolved:
		return oauth.Say("The host name could not be resolved.")
	case webhook.ProblemUnreachable:
		return oauth.Say("No connection could be made, or it ended without an answer.")
	case webhook.ProblemTLS:
		return oauth.Say("There is no TLS 1.2 or later, or its certificate is not valid.")
	case webhook.ProblemTimeout:
		return oauth.Say("No answer within 10 seconds.")
	case webhook.ProblemRedirect:
		return oauth.Say("Answered with %d; redirects are not followed.", d.Status)
	case webhook.ProblemGone:
		return oauth.Say("Answered with %d; nothing more is tried.", d.Status)
	}
	if d.Status != 0 {
		return oauth.Say("Answered with %d.", d.Status)
	}
	return oauth.Sentence{}
}

// indented is JSON as people read it; what is none stays as it is.
func indented(body string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		return body
	}
	return b.String()
}

func (p *Portal) setWebhook(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	err := p.Webhooks.Set(r.Context(), a.ID, r.PostFormValue("url"), r.PostForm["event"])
	if wrong := problems(err); wrong != nil {
		var chosen []oauth.WebhookEvent
		for _, name := range r.PostForm["event"] {
			chosen = append(chosen, oauth.WebhookEvent(name))
		}
		return p.writeWebhook(w, r, person, http.StatusUnprocessableEntity, a, page.WebhookForm{
			URL: r.PostFormValue("url"), Events: webhookChoices(chosen), Problems: wrong,
		})
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, webhookPath(a), "saved")
	return nil
}

func (p *Portal) testWebhook(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	id, err := p.Webhooks.Test(r.Context(), a.ID, throttle.Client(r.RemoteAddr))
	return p.sent(w, r, person, a, id, err)
}

func (p *Portal) redeliver(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application) error {
	id, ok := oauth.ParseID(r.PathValue("delivery"))
	if !ok {
		return application.ErrNotFound
	}
	err := p.Webhooks.Redeliver(r.Context(), a.ID, id, throttle.Client(r.RemoteAddr))
	return p.sent(w, r, person, a, id, err)
}

// sent goes to the log once there is something new in it.
func (p *Portal) sent(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application, id oauth.ID, err error) error {
	var problem *webhook.Problem
	if errors.As(err, &problem) {
		return p.notSent(w, r, person, a, problem)
	}
	if err != nil {
		return err
	}
	p.Webhooks.Await(r.Context(), a.ID, id)
	p.Door.LeadTo(w, webhookPath(a), "sent")
	return nil
}

func (p *Portal) notSent(w http.ResponseWriter, r *http.Request, person *signin.Person, a oauth.Application, problem *webhook.Problem) error {
	hook, err := p.Webhooks.Of(r.Context(), a.ID)
	if err != nil {
		return err
	}
	return p.writeWebhook(w, r, person, signin.Status(w, problem), a, page.WebhookForm{
		URL: hook.URL, Events: webhookChoices(hook.Events), Problems: map[string]oauth.Sentence{"delivery": problem.Message},
	})
}

func (p *Portal) rotateWebhook(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	// A form without the number is about no generation.
	generation, _ := strconv.ParseInt(r.PostFormValue("generation"), 10, 64)
	err := p.Webhooks.Rotate(r.Context(), a.ID, generation)
	if errors.Is(err, webhook.ErrNotFound) {
		p.Door.LeadTo(w, webhookPath(a), "rotated-before")
		return nil
	}
	if err != nil {
		return err
	}
	p.Door.LeadTo(w, webhookPath(a), "rotated")
	return nil
}

func (p *Portal) deleteWebhook(w http.ResponseWriter, r *http.Request, _ *signin.Person, a oauth.Application) error {
	if err := p.Webhooks.Delete(r.Context(), a.ID); err != nil {
		return err
	}
	p.Door.LeadTo(w, webhookPath(a), "webhook-deleted")
	return nil
}
