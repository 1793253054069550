package page

import (
	"fmt"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// AuditForm is what the audit log is narrowed to, as it was typed.
type AuditForm struct {
	Kind, Actor, Account, Application, Address, From, Until string
	Problems                                                map[string]oauth.Sentence
}

// Narrowed reports whether anything was typed.
func (f AuditForm) Narrowed() bool {
	return f.Kind+f.Actor+f.Account+f.Application+f.Address+f.From+f.Until != ""
}

// AuditGroup is the kinds of events about one noun.
type AuditGroup struct {
	Name  string
	Kinds []string
}

// AdminAudit is a page of the audit log.
type AdminAudit struct {
	Frame
	Form   AuditForm
	Groups []AuditGroup
	Events []oauth.AuditEvent
	// Older and Newer are addresses, empty for none; Export is that of the same lines
	// as a file.
	Older, Newer, Export string
	// Reached is how far back was searched, where that did not fill the page.
	Reached time.Time
}

// Found is what a list of the administration shows beside its rows.
type Found struct {
	// Search is what was typed.
	Search string
	// State is the part of the list that is open; States are all of them.
	State  string
	States []ListState
	// Next is the address of the following page, empty for none.
	Next string
	// Cut tells that a search found more than is shown.
	Cut bool
}

// ListState is a part of a list.
type ListState struct {
	Name  string
	Label oauth.Sentence
}

// AdminAccounts lists accounts.
type AdminAccounts struct {
	Frame
	Found
	Accounts []oauth.Account
}

// AdminAccount is one account, as administrators see it.
type AdminAccount struct {
	Frame
	Subject oauth.Account
	// Oneself: the administrator looks at the own account.
	Oneself      bool
	Sessions     Amount
	Given        Amount
	Connections  []oauth.Application
	Applications []oauth.Application
	// MoreApplications tells that the account owns more than are listed.
	MoreApplications bool
	Events           []oauth.AuditEvent
	Problem          oauth.Sentence
}

// Amount is a number that may have been counted only so far.
type Amount struct {
	N   int
	Cut bool
}

// AdminDisable asks before an account is disabled.
type AdminDisable struct {
	Frame
	Subject                 oauth.Account
	Given, Sessions, Owned  Amount
	OwnedGiven, OwnedPeople Amount
}

// AdminPromote asks before an account becomes an administrator.
type AdminPromote struct {
	Frame
	Subject oauth.Account
}

// AdminApplications lists applications.
type AdminApplications struct {
	Frame
	Found
	// Owner is whose applications are listed, nil for everybody's.
	Owner *oauth.Account
	// Rest is an account of whose applications a search shows the newest alone, nil for none.
	Rest         *oauth.Account
	Applications []oauth.Application
}

// ScopeStanding is a configured scope and what it is to an application.
type ScopeStanding struct {
	oauth.Permission
	State oauth.ScopeState
}

// Has reports whether the application may ask people for the scope.
func (s ScopeStanding) Has() bool { return s.State == oauth.ScopeAllowed }

// Requested reports whether an administrator is asked to allow the scope.
func (s ScopeStanding) Requested() bool { return s.State == oauth.ScopeRequested }

// AdminApplication is one application, as administrators see it.
type AdminApplication struct {
	Frame
	Subject oauth.Application
	// Review: the platform requires that applications are verified.
	Review bool
	Scopes []ScopeStanding
	Events []oauth.AuditEvent
	Form   ReasonForm
}

// ReasonForm is what an administrator writes to an owner.
type ReasonForm struct {
	// Above says why nothing was done, above the whole page.
	Above    oauth.Sentence
	Label    oauth.Sentence
	Reason   string
	Problems map[string]oauth.Sentence
}

// AdminSuspend asks before an application is suspended.
type AdminSuspend struct {
	Frame
	Subject       oauth.Application
	Given, People Amount
	Form          ReasonForm
}

func (AdminAudit) template() string        { return "admin_audit" }
func (AdminAccounts) template() string     { return "admin_accounts" }
func (AdminAccount) template() string      { return "admin_account" }
func (AdminDisable) template() string      { return "admin_disable" }
func (AdminPromote) template() string      { return "admin_promote" }
func (AdminApplications) template() string { return "admin_applications" }
func (AdminApplication) template() string  { return "admin_application" }
func (AdminSuspend) template() string      { return "admin_suspend" }

// FirstRun sets an empty platform up.
type FirstRun struct {
	Frame
	// FixedName and Fixed are those of the configuration file, which wins.
	FixedName string
	Fixed     []oauth.Permission
	// Platform is the name of the platform; Name, Email are the administrator's.
	Platform, Name, Email string
	// Sentence is what the scope profile allows.
	Sentence string
	// Rows are the other scopes.
	Rows     []ScopeRow
	Problems map[string]oauth.Sentence
}

// ScopeRow is a scope that is being described.
type ScopeRow struct {
	Number         int
	Name, Sentence string
}

// NameField and SentenceField are the names of its inputs.
func (s ScopeRow) NameField() string     { return fmt.Sprintf("scope-%d", s.Number) }
func (s ScopeRow) SentenceField() string { return fmt.Sprintf("sentence-%d", s.Number) }

func (FirstRun) template() string { return "first_run" }

// AdminOverview is how the platform is doing.
type AdminOverview struct {
	Frame
	Accounts, Applications, Submitted, Asking, Suspended int64
	Plots                                                []Plot
	Events                                               []oauth.AuditEvent
}

func (AdminOverview) template() string { return "admin_overview" }
