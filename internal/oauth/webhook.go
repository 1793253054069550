package oauth

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// WebhookEvent names what a webhook tells.
type WebhookEvent string

// The events. An application is not told of what it asked for itself.
const (
	EventAuthorizationRevoked WebhookEvent = "authorization.revoked"
	EventSecretEnding         WebhookEvent = "secret.ending"
	EventApplicationSuspended WebhookEvent = "application.suspended"
	EventApplicationResumed   WebhookEvent = "application.resumed"
	// EventTest is sent when a developer asks for it, and cannot be chosen.
	EventTest WebhookEvent = "webhook.test"
)

// WebhookEvents are those that an application may choose.
func WebhookEvents() []WebhookEvent {
	return []WebhookEvent{EventAuthorizationRevoked, EventSecretEnding, EventApplicationSuspended, EventApplicationResumed}
}

// Webhook is where an application wants to be told of events.
type Webhook struct {
	ApplicationID ID
	URL           string
	Events        []WebhookEvent
	// Generation is of the key that signs. It begins with the time of creation, so that a
	// webhook that is deleted and made again has another key.
	Generation int64
	// RotatedAt is when the generation before this one gave way, zero for never.
	RotatedAt time.Time
	CreatedAt time.Time
}

// WebhookKey derives the key of a generation that signs what an application is told.
// Nothing stored can be turned into it.
func (k Key) WebhookKey(application ID, generation int64) [32]byte {
	return k.Seal("webhook", application.String(), strconv.FormatInt(generation, 10))
}

// Delivery is an event on its way to an application, or there.
type Delivery struct {
	ID            ID
	ApplicationID ID
	Event         WebhookEvent
	// Body is what is sent, JSON.
	Body string
	// Attempts counts those that began.
	Attempts int
	// DueAt is when it is tried again, zero when nothing more is tried.
	DueAt time.Time
	// DeliveredAt is zero unless the last attempt succeeded.
	DeliveredAt time.Time
	// Status is the HTTP status of the last answer, 0 for none, and Problem a word for what
	// went wrong, empty when nothing did.
	Status  int
	Problem string
}

// Occurrence is something that happened and that an application may want to be told of.
type Occurrence struct {
	Event         WebhookEvent
	At            time.Time
	ApplicationID ID
	// The following are zero where they do not apply. Reason is a word for programs.
	AuthorizationID, AccountID ID
	Reason                     string
	EndsAt                     time.Time
}

// ClientIDMark stands in a body for the client_id, which the store fills in as it writes:
// the row of an authorization does not have it.
const ClientIDMark = "{client_id}"

// Body is the JSON that is sent: ids and no more.
func (o Occurrence) Body() (string, error) {
	type data struct {
		ClientID        string    `json:"client_id"`
		AuthorizationID ID        `json:"authorization_id,omitzero"`
		AccountID       ID        `json:"account_id,omitzero"`
		Reason          string    `json:"reason,omitempty"`
		EndsAt          time.Time `json:"ends_at,omitzero"`
	}
	body, err := json.Marshal(struct {
		Type      WebhookEvent `json:"type"`
		Timestamp time.Time    `json:"timestamp"`
		Data      data         `json:"data"`
	}{o.Event, o.At.UTC(), data{ClientIDMark, o.AuthorizationID, o.AccountID, o.Reason, o.EndsAt}})
	if err != nil {
		return "", fmt.Errorf("write the body of a webhook: %w", err)
	}
	return string(body), nil
}

// Why an application is suspended, as its webhook tells it.
const (
	SuspendedByAdministrator = "administrator"
	SuspendedWithOwner       = "owner_disabled"
)

// wire is the reason as a webhook tells it, empty for an end that the application asked
// for, never had tokens of, or does not survive.
func (r Reason) wire() string {
	switch r {
	case ReasonRequested, ReasonRefused, ReasonDeleted:
		return ""
	case ReasonDisconnected:
		return "disconnected"
	case ReasonOperator:
		return "operator"
	case ReasonCodeReplay:
		return "code_replayed"
	case ReasonTokenReplay:
		return "refresh_token_replayed"
	case ReasonWornOut:
		return "worn_out"
	case ReasonSurplus:
		return "surplus"
	case ReasonRemoved:
		return "removed"
	}
	return "other"
}

// RevocationOf is what an application is told of an event that made after of before;
// false when it ended no tokens, or the application asked for it.
func RevocationOf(before, after Authorization) (Occurrence, bool) {
	reason := after.RevokedReason.wire()
	if before.Status != StatusActive || after.Status != StatusRevoked || reason == "" {
		return Occurrence{}, false
	}
	return Occurrence{
		Event: EventAuthorizationRevoked, At: after.RevokedAt, ApplicationID: after.ApplicationID,
		AuthorizationID: after.ID, AccountID: after.AccountID, Reason: reason,
	}, true
}
