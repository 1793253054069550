package main

import (
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

// TestTheAuthorizationsOfADeletedApplicationAreShownRevoked although nobody wrote that to
// their rows.
func TestTheAuthorizationsOfADeletedApplicationAreShownRevoked(t *testing.T) {
	t.Parallel()
	here, gone := oauth.ID{1}, oauth.ID{2}
	for _, c := range []struct {
		name                 string
		application          oauth.ID
		status               oauth.Status
		reason               oauth.Reason
		wantStatus, wantText string
	}{
		{"of one that is there", here, oauth.StatusActive, "", "active", ""},
		{"of one that was deleted", gone, oauth.StatusActive, "", "revoked", "the application was deleted"},
		{"a code for one that was deleted", gone, oauth.StatusPending, "", "revoked", "the application was deleted"},
		{"revoked before", gone, oauth.StatusRevoked, oauth.ReasonOperator, "revoked", "revoked by the operator"},
	} {
		a := oauth.Authorization{ApplicationID: c.application, Status: c.status, RevokedReason: c.reason}
		v := viewAuthorization(a, map[oauth.ID]string{here: "client"})
		if v.Status != c.wantStatus || v.RevokedReason != c.wantText {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, v.Status, v.RevokedReason, c.wantStatus, c.wantText)
		}
	}
}
