package oauth

import (
	"strings"
	"time"
)

// AuditKind names what happened, as the audit log keeps it and filters by it.
type AuditKind string

// What people do with their own accounts, and what somebody tries with one.
const (
	AuditSignedUp        AuditKind = "account.signed_up"
	AuditProfileChanged  AuditKind = "account.profile_changed"
	AuditPasswordChanged AuditKind = "account.password_changed"
	// AuditSignInFailed is written once a minute for an account, at most.
	AuditSignInFailed  AuditKind = "session.sign_in_failed"
	AuditSignedIn      AuditKind = "session.signed_in"
	AuditSessionEnded  AuditKind = "session.ended"
	AuditSessionsEnded AuditKind = "session.others_ended"
	AuditApproved      AuditKind = "authorization.approved"
	AuditRefused       AuditKind = "authorization.refused"
	AuditDisconnected  AuditKind = "authorization.disconnected"
)

// What those who manage an application do to it.
const (
	AuditApplicationRegistered AuditKind = "application.registered"
	AuditApplicationEdited     AuditKind = "application.edited"
	AuditLogoChanged           AuditKind = "application.logo_changed"
	AuditApplicationSubmitted  AuditKind = "application.submitted"
	AuditScopeRequested        AuditKind = "application.scope_requested"
	AuditSecretReplaced        AuditKind = "application.secret_replaced"
	AuditSecretEnded           AuditKind = "application.secret_ended"
	// The detail of these names the role and the account.
	AuditMemberAdded   AuditKind = "application.member_added"
	AuditMemberRemoved AuditKind = "application.member_removed"
	// The detail names the owner before.
	AuditApplicationInherited AuditKind = "application.transferred"
	AuditApplicationDeleted   AuditKind = "application.deleted"

	AuditWebhookChanged     AuditKind = "webhook.changed"
	AuditWebhookRotated     AuditKind = "webhook.secret_rotated"
	AuditWebhookRedelivered AuditKind = "webhook.redelivered"
	AuditWebhookDeleted     AuditKind = "webhook.deleted"
)

// What administrators, and commands, do. An authorization is also revoked when somebody misuses
// what is of it.
const (
	AuditAccountCreated       AuditKind = "account.created"
	AuditAccountDisabled      AuditKind = "account.disabled"
	AuditAccountEnabled       AuditKind = "account.enabled"
	AuditAdministratorMade    AuditKind = "account.administrator_made"
	AuditAdministratorUnmade  AuditKind = "account.administrator_unmade"
	AuditApplicationReturned  AuditKind = "application.returned"
	AuditApplicationVerified  AuditKind = "application.verified"
	AuditApplicationUnmarked  AuditKind = "application.unverified"
	AuditApplicationSuspended AuditKind = "application.suspended"
	AuditApplicationResumed   AuditKind = "application.resumed"
	AuditScopeAllowed         AuditKind = "application.scope_allowed"
	AuditScopeDeclined        AuditKind = "application.scope_declined"
	AuditAuthorizationRevoked AuditKind = "authorization.revoked"
	AuditSettingsChanged      AuditKind = "settings.changed"
	AuditExported             AuditKind = "audit.exported"
)

// Group is what the kinds about one noun have in common: what stands before the dot.
func (k AuditKind) Group() string {
	group, _, _ := strings.Cut(string(k), ".")
	return group
}

// AuditSubject is whom or what something was done to.
type AuditSubject struct {
	// AccountID and ApplicationID are zero where they do not apply.
	AccountID, ApplicationID ID
	// Name is the application's, or else the account's, as it was then.
	Name string
}

// AuditEvent is a line of the audit log: who, what, when, from where.
type AuditEvent struct {
	ID      ID
	Kind    AuditKind
	Actor   Actor
	Subject AuditSubject
	// Detail adds what the kind leaves open, in English, without secrets.
	Detail string
}

// At is when it happened.
func (e AuditEvent) At() time.Time { return e.ID.Time() }
