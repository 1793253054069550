package page

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Webhook is the tab where a developer says what the application is told, and sees how
// that goes.
type Webhook struct {
	Frame
	Tabs     ApplicationTabs
	ClientID string
	Form     WebhookForm
	// Exists tells that there is a webhook; what follows is of it.
	Exists bool
	Secret string
	// Generation is of the secret.
	Generation int64
	// Overlap is until when the secret before it signs too, zero when it does not.
	Overlap    time.Time
	Deliveries []WebhookDelivery
	// Older is the id from which the next page of the log goes on, empty on the last;
	// Newest tells that this is the first.
	Older  string
	Newest bool
}

// WebhookForm is what a developer types about a webhook.
type WebhookForm struct {
	URL      string
	Events   []WebhookChoice
	Problems map[string]oauth.Sentence
}

// WebhookChoice is an event that may be chosen.
type WebhookChoice struct {
	Name        oauth.WebhookEvent
	Description oauth.Sentence
	Chosen      bool
}

// WebhookDelivery is a line of the log of deliveries.
type WebhookDelivery struct {
	ID    string
	Event oauth.WebhookEvent
	At    time.Time
	// State is shown in a badge that is red for Failed and green for Delivered.
	State             oauth.Sentence
	Delivered, Failed bool
	// Outcome says what came of the last attempt.
	Outcome  oauth.Sentence
	Attempts int
	// Next is when it is tried again, zero for never.
	Next time.Time
	Body string
}

func (Webhook) template() string { return "webhook" }
