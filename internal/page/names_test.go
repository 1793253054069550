package page

import (
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestANameThatRunsTheOtherWayStaysInItsPlace(t *testing.T) {
	const name = "שרה 1"
	event := oauth.AuditEvent{
		Kind: oauth.AuditApplicationReturned, Subject: oauth.AuditSubject{ApplicationID: oauth.ID{2}, Name: name},
		Actor: oauth.Actor{AccountID: oauth.ID{1}, Name: name, Address: "192.0.2.1"}, Detail: name,
	}
	owned := oauth.Application{Name: "Tidepool", OwnerName: name}
	account := &oauth.Account{Name: "Bob"}
	for place, c := range map[string]struct {
		content Content
		want    string
	}{
		"an actor before an address":   {AdminAudit{Events: []oauth.AuditEvent{event}}, "<bdi>" + name + "</bdi></a> · 192.0.2.1 · <bdi>" + name + "</bdi></p>"},
		"a subject after a kind":       {AdminAudit{Events: []oauth.AuditEvent{event}}, "</code> <a href=\"/admin/applications/02000000-0000-0000-0000-000000000000\"><bdi>" + name + "</bdi></a></p>"},
		"an owner on the consent page": {Consent{Frame: Frame{Account: account}, Application: owned}, "by <bdi>" + name + "</bdi>"},
		"an owner before a date":       {AdminApplications{Applications: []oauth.Application{owned}}, "by <bdi>" + name + "</bdi> · since"},
		"an owner before a mark":       {Connections{Frame: Frame{Account: account}, Connections: []Connection{{Application: owned}}}, "by <bdi>" + name + "</bdi>"},
		"somebody who writes HTML":     {AdminApplications{Applications: []oauth.Application{{OwnerName: "<b>"}}}, "by <bdi>&lt;b&gt;</bdi>"},
	} {
		if body := rendered(t, c.content); !strings.Contains(body, c.want) {
			t.Errorf("%s: %q is not on the page:\n%s", place, c.want, body)
		}
	}
}

func TestWhatProgramsAreToldIsReadInEnglish(t *testing.T) {
	wrong := oauth.Say("The application is suspended.")
	for name, c := range map[string]Content{
		"an error page":            Problem{Developer: "<client_id>"},
		"a refusal as it was told": Errors{Refusals: []oauth.Refusal{{Description: "<client_id>"}}},
		"a refusal told better":    Errors{Refusals: []oauth.Refusal{{Description: "<client_id>", Wrong: wrong}}},
	} {
		const want = `<span lang="en">&lt;client_id&gt;</span>`
		if body := rendered(t, c); !strings.Contains(body, want) {
			t.Errorf("%s: %s is not on the page:\n%s", name, want, body)
		}
	}
}
