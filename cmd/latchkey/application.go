package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func applicationCommand(c *config) *cobra.Command {
	return group("application", "Register and manage OAuth applications",
		applicationCreate(c), applicationList(c), applicationShow(c), applicationUpdate(c), applicationRotate(c),
		applicationAnswer(c, "suspend", "suspended", "reason", "Switch an application off until resume; its tokens and codes stop working", (*application.Applications).Suspend),
		applicationChange(c, "resume", "resumed", "Undo suspend", (*application.Applications).Resume),
		applicationChange(c, "verify", "verified", "Mark an application as what it says it is", (*application.Applications).Verify),
		applicationAnswer(c, "unverify", "unverified", "note", "Take the mark that verify gave",
			unlessChanged((*application.Applications).Unverify, "the application is not verified")),
		applicationAnswer(c, "return", "returned", "note", "Send an application back that was submitted for review",
			unlessChanged((*application.Applications).Return, "the application is not submitted for review")),
		applicationChange(c, "delete", "deleted", "Revoke every authorization of an application and remove it", (*application.Applications).Delete))
}

// applicationView is an application as commands print it.
type applicationView struct {
	ClientID       string     `json:"client_id"`
	ClientSecret   string     `json:"client_secret,omitempty"`
	Name           string     `json:"name"`
	Owner          string     `json:"owner"`
	Site           string     `json:"site,omitempty"`
	Privacy        string     `json:"privacy,omitempty"`
	Terms          string     `json:"terms,omitempty"`
	RedirectURIs   []string   `json:"redirect_uris"`
	Scope          string     `json:"scope"`
	OptionalScope  string     `json:"optional_scope,omitempty"`
	Public         bool       `json:"public"`
	ResourceServer bool       `json:"resource_server"`
	Suspended      bool       `json:"suspended"`
	Reason         string     `json:"suspended_reason,omitempty"`
	Submitted      bool       `json:"submitted"`
	Verified       bool       `json:"verified"`
	PreviousEndsAt *time.Time `json:"previous_secret_ends_at,omitempty"`
	CreatedAt      time.Time  `json:"created_at"`
}

func viewApplication(a oauth.Application, secret string) applicationView {
	v := applicationView{
		ClientID: a.ClientID, ClientSecret: secret, Name: a.Name, Owner: a.OwnerID.String(), Site: a.Site, Privacy: a.Privacy, Terms: a.Terms,
		RedirectURIs: append([]string{}, a.RedirectURIs...), Scope: string(a.Scope), OptionalScope: string(a.OptionalScope), Public: a.Public, ResourceServer: a.ResourceServer,
		Suspended: a.Suspended(), Reason: a.SuspendedReason, Submitted: a.Submitted(), Verified: a.Verified(), CreatedAt: a.CreatedAt,
	}
	if !a.PreviousSecretEndsAt.IsZero() {
		v.PreviousEndsAt = &a.PreviousSecretEndsAt
	}
	return v
}

func (v applicationView) rows() [][]string {
	rows := [][]string{{"client_id", v.ClientID}}
	if v.ClientSecret != "" {
		rows = append(rows, []string{"client_secret", v.ClientSecret + "  (shown this once)"})
	}
	if v.PreviousEndsAt != nil {
		rows = append(rows, []string{"previous_secret_ends_at", v.PreviousEndsAt.Format(time.RFC3339)})
	}
	rows = append(rows, [][]string{
		{"name", v.Name}, {"owner", v.Owner}, {"site", v.Site}, {"privacy", v.Privacy}, {"terms", v.Terms}, {"redirect_uris", strings.Join(v.RedirectURIs, " ")}, {"scope", v.Scope},
		{"optional_scope", v.OptionalScope},
		{"public", fmt.Sprint(v.Public)}, {"resource_server", fmt.Sprint(v.ResourceServer)}, {"suspended", fmt.Sprint(v.Suspended)},
	}...)
	if v.Reason != "" {
		rows = append(rows, []string{"suspended_reason", v.Reason})
	}
	return append(rows, [][]string{
		{"submitted", fmt.Sprint(v.Submitted)}, {"verified", fmt.Sprint(v.Verified)},
		{"created_at", v.CreatedAt.Format(time.RFC3339)},
	}...)
}

// scopeFlag joins the values of a flag, each of which may hold several scopes.
func scopeFlag(flag string, values []string) (oauth.Scope, error) {
	scope, refusal := oauth.ParseScope(strings.Join(values, " "))
	if refusal != nil {
		return "", usageError{fmt.Errorf("--%s: %s", flag, refusal.Description)}
	}
	return scope, nil
}

func applicationCreate(c *config) *cobra.Command {
	var r application.Registration
	var owner string
	var scopes, optional []string
	cmd := &cobra.Command{
		Use:   "create --owner ACCOUNT --name N [--redirect-uri URI ...]",
		Short: "Register an application and print its client_id and, this once, its client_secret",
		Args:  cobra.NoArgs,
		RunE: c.onData(func(ctx context.Context, h *house, _ []string) (err error) {
			if r.Scope, err = scopeFlag("scope", scopes); err != nil {
				return err
			}
			if r.OptionalScope, err = scopeFlag("optional-scope", optional); err != nil {
				return err
			}
			if r.Owner, err = h.accounts.Find(ctx, owner); err != nil {
				return err
			}
			made, secret, err := h.applications.Register(ctx, r, true)
			if err != nil {
				return sentence(err)
			}
			v := viewApplication(made, secret)
			return c.print(v, v.rows())
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&owner, "owner", "", "the account that the application belongs to: email address, username or id")
	flags.StringVar(&r.Name, "name", "", "name, as people are shown it")
	flags.StringVar(&r.Site, "site", "", "home page of the application")
	flags.StringVar(&r.Privacy, "privacy", "", "its privacy policy")
	flags.StringVar(&r.Terms, "terms", "", "its terms of service")
	flags.StringArrayVar(&r.RedirectURIs, "redirect-uri", nil, "where answers may go, none if no person is asked; repeat it for several")
	flags.StringArrayVar(&scopes, "scope", nil, "what the application may ask for; repeat it for several (default: the default scope)")
	flags.StringArrayVar(&optional, "optional-scope", nil, "which of these people may leave out; repeat it for several")
	flags.BoolVar(&r.Public, "public", false, "an application that cannot keep a secret; it gets none and must use PKCE")
	flags.BoolVar(&r.ResourceServer, "resource-server", false, "an API: it may introspect every token")
	c.jsonFlag(flags)
	require(cmd, "owner", "name")
	return cmd
}

// onApplication runs a command on the application of its argument.
func (c *config) onApplication(command func(ctx context.Context, h *house, a oauth.Application) error) func(*cobra.Command, []string) error {
	return c.onData(func(ctx context.Context, h *house, args []string) error {
		a, err := h.applications.Find(ctx, args[0])
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no application with the client_id %s", args[0])
		}
		if err != nil {
			return err
		}
		return command(ctx, h, a)
	})
}

func applicationList(c *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all applications",
		Args:  cobra.NoArgs,
		RunE: c.onData(func(ctx context.Context, h *house, _ []string) error {
			all, err := h.applications.All(ctx)
			if err != nil {
				return err
			}
			views, rows := []applicationView{}, [][]string{{"CLIENT_ID", "NAME", "OWNER", "STATE", "SCOPE"}}
			for _, a := range all {
				views = append(views, viewApplication(a, ""))
				rows = append(rows, []string{a.ClientID, a.Name, a.OwnerName, applicationState(a), string(a.Scope)})
			}
			return c.print(views, rows)
		}),
	}
	c.jsonFlag(cmd.Flags())
	return cmd
}

func applicationState(a oauth.Application) string {
	switch {
	case a.Suspended():
		return "suspended"
	case a.Submitted():
		return "submitted"
	case a.Verified():
		return "verified"
	}
	return "active"
}

func applicationShow(c *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show CLIENT_ID",
		Short: "Show an application, without its secret",
		Args:  cobra.ExactArgs(1),
		RunE: c.onApplication(func(_ context.Context, _ *house, a oauth.Application) error {
			v := viewApplication(a, "")
			return c.print(v, v.rows())
		}),
	}
	c.jsonFlag(cmd.Flags())
	return cmd
}

func applicationUpdate(c *config) *cobra.Command {
	var d application.Details
	var scopes, optional []string
	cmd := &cobra.Command{
		Use:   "update CLIENT_ID",
		Short: "Change an application; what is not named stays. Scopes that need an administrator are allowed here",
		Args:  cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&d.Name, "name", "", "new name")
	flags.StringVar(&d.Site, "site", "", "new home page")
	flags.StringVar(&d.Privacy, "privacy", "", "new privacy policy")
	flags.StringVar(&d.Terms, "terms", "", "new terms of service")
	flags.StringArrayVar(&d.RedirectURIs, "redirect-uri", nil, "new redirect URLs, instead of all present ones")
	flags.StringArrayVar(&scopes, "scope", nil, "new scopes, instead of all present ones")
	flags.StringArrayVar(&optional, "optional-scope", nil, "new optional scopes, instead of all present ones")
	c.jsonFlag(flags)
	cmd.RunE = c.onApplication(func(ctx context.Context, h *house, a oauth.Application) error {
		scope, err := scopeFlag("scope", scopes)
		if err != nil {
			return err
		}
		optionalScope, err := scopeFlag("optional-scope", optional)
		if err != nil {
			return err
		}
		changed, err := h.applications.Edit(ctx, a.ID, true, func(present application.Details) (application.Details, error) {
			if flags.Changed("name") {
				present.Name = d.Name
			}
			if flags.Changed("site") {
				present.Site = d.Site
			}
			if flags.Changed("privacy") {
				present.Privacy = d.Privacy
			}
			if flags.Changed("terms") {
				present.Terms = d.Terms
			}
			if flags.Changed("redirect-uri") {
				present.RedirectURIs = d.RedirectURIs
			}
			if flags.Changed("scope") {
				present.Scope = scope
				present.OptionalScope = present.OptionalScope.Within(scope)
			}
			if flags.Changed("optional-scope") {
				present.OptionalScope = optionalScope
			}
			return present, nil
		})
		if err != nil {
			return sentence(err)
		}
		v := viewApplication(changed, "")
		return c.print(v, v.rows())
	})
	return cmd
}

func applicationRotate(c *config) *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Print a new client_secret; the present one works for 24 hours more, one before it no longer",
		Args:  cobra.ExactArgs(1),
		RunE: c.onApplication(func(ctx context.Context, h *house, a oauth.Application) error {
			overlap := application.SecretOverlap
			if now {
				overlap = 0
			}
			secret, err := h.applications.RotateSecret(ctx, a, time.Time{}, overlap)
			if err != nil && !errors.Is(err, store.ErrUnconfirmed) {
				return sentence(err)
			}
			// The new secret is in force: it is shown now or never.
			changed, unread := h.applications.Find(ctx, a.ClientID)
			if unread != nil {
				changed, changed.PreviousSecretEndsAt = a, time.Time{}
				unread = fmt.Errorf("the secret is replaced, but the application cannot be read again: %w", unread)
			}
			v := viewApplication(changed, secret)
			return errors.Join(c.print(v, v.rows()), err, unread)
		}),
	}
	cmd.Flags().BoolVar(&now, "now", false, "the old secret ends now")
	c.jsonFlag(cmd.Flags())
	return cmd
}

func applicationChange(c *config, use, did, short string, change func(*application.Applications, context.Context, oauth.ID) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use + " CLIENT_ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: c.onApplication(func(ctx context.Context, h *house, a oauth.Application) error {
			if err := change(h.applications, ctx, a.ID); err != nil {
				return err
			}
			return c.done(map[string]string{"client_id": a.ClientID, "done": did}, "%s the application %s", did, a.Name)
		}),
	}
	c.jsonFlag(cmd.Flags())
	return cmd
}

// applicationAnswer is applicationChange with a sentence that the owner is shown.
func applicationAnswer(c *config, use, did, flag, short string, change func(*application.Applications, context.Context, oauth.ID, string) error) *cobra.Command {
	var said string
	cmd := applicationChange(c, use, did, short, func(a *application.Applications, ctx context.Context, id oauth.ID) error {
		clean, err := application.Reason(said, false)
		if err != nil {
			return sentence(err)
		}
		return change(a, ctx, id, clean)
	})
	cmd.Flags().StringVar(&said, flag, "", "a sentence that the owner of the application is shown")
	return cmd
}

// unlessChanged says why nothing was changed where the application is not as change needs it.
func unlessChanged(change func(*application.Applications, context.Context, oauth.ID, string) error, why string) func(*application.Applications, context.Context, oauth.ID, string) error {
	return func(a *application.Applications, ctx context.Context, id oauth.ID, note string) error {
		err := change(a, ctx, id, note)
		if errors.Is(err, application.ErrChanged) {
			return errors.New("nothing was changed: " + why)
		}
		return err
	}
}
