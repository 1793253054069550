package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

func authorizationCommand(c *config) *cobra.Command {
	return group("authorization", "List and revoke authorizations", authorizationList(c), authorizationRevoke(c))
}

// authorizationView is an authorization as commands print it.
type authorizationView struct {
	ID            string     `json:"id"`
	AccountID     string     `json:"account_id"`
	ClientID      string     `json:"client_id"`
	GrantType     string     `json:"grant_type"`
	Status        string     `json:"status"`
	Scope         string     `json:"scope"`
	Generation    uint32     `json:"generation"`
	CreatedAt     time.Time  `json:"created_at"`
	EndsAt        *time.Time `json:"ends_at,omitempty"`
	LastUsedAt    *time.Time `json:"last_used_at,omitempty"`
	ExpiresAt     *time.Time `json:"access_token_expires_at,omitempty"`
	RevokedAt     *time.Time `json:"revoked_at,omitempty"`
	RevokedReason string     `json:"revoked_reason,omitempty"`
}

func viewAuthorization(a oauth.Authorization, clientIDs map[oauth.ID]string) authorizationView {
	optional := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	clientID, present := clientIDs[a.ApplicationID]
	if !present && a.Status != oauth.StatusRevoked {
		// The sweeper has not come to it yet.
		a.Status, a.RevokedReason = oauth.StatusRevoked, oauth.ReasonDeleted
	}
	status := map[oauth.Status]string{oauth.StatusPending: "pending", oauth.StatusActive: "active", oauth.StatusRevoked: "revoked"}
	return authorizationView{
		ID: a.ID.String(), AccountID: a.AccountID.String(), ClientID: clientID,
		GrantType: string(a.GrantType), Status: status[a.Status], Scope: string(a.Scope), Generation: a.Generation,
		CreatedAt: a.CreatedAt, EndsAt: optional(a.EndsAt), LastUsedAt: optional(a.RotatedAt), ExpiresAt: optional(a.Access.ExpiresAt),
		RevokedAt: optional(a.RevokedAt), RevokedReason: string(a.RevokedReason),
	}
}

// maxListed bounds a list, which is held in memory.
const maxListed = 1_000_000

func authorizationList(c *config) *cobra.Command {
	var owner, clientID string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List authorizations, the newest first",
		Long: "List authorizations, the newest first. Of an account or an application these are the ones that people\n" +
			"gave; what applications get for themselves (client_credentials) is only in the list of all.",
		Args: cobra.NoArgs,
		RunE: c.onData(func(ctx context.Context, h *house, _ []string) error {
			all, err := findAuthorizations(ctx, h, owner, clientID, limit)
			if err != nil {
				return err
			}
			applications, err := h.applications.All(ctx)
			if err != nil {
				return err
			}
			clientIDs := map[oauth.ID]string{}
			for _, a := range applications {
				clientIDs[a.ID] = a.ClientID
			}
			views, rows := []authorizationView{}, [][]string{{"ID", "STATUS", "GRANT_TYPE", "SCOPE", "ACCOUNT_ID", "CLIENT_ID", "CREATED_AT"}}
			for _, a := range all {
				v := viewAuthorization(a, clientIDs)
				views = append(views, v)
				rows = append(rows, []string{v.ID, v.Status, v.GrantType, v.Scope, v.AccountID, v.ClientID, v.CreatedAt.Format(time.RFC3339)})
			}
			return c.print(views, rows)
		}),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, filter := range []string{"account", "application"} {
			// An unset variable of a shell must not stand for all of them.
			if f := cmd.Flags().Lookup(filter); f.Changed && f.Value.String() == "" {
				return usageError{fmt.Errorf("the value of --%s is empty", filter)}
			}
		}
		if limit < 1 || limit > maxListed {
			return usageError{fmt.Errorf("limit must be from 1 to %d", maxListed)}
		}
		return nil
	}
	cmd.Flags().StringVar(&owner, "account", "", "only of this account: email address, username or id")
	cmd.Flags().StringVar(&clientID, "application", "", "only of the application with this client_id")
	cmd.Flags().IntVar(&limit, "limit", 1000, "how many at most")
	c.jsonFlag(cmd.Flags())
	return cmd
}

// findAuthorizations lists those of an account, of an application, or of both; empty means all.
func findAuthorizations(ctx context.Context, h *house, owner, clientID string, limit int) ([]oauth.Authorization, error) {
	filter := store.AuthorizationFilter{Limit: limit}
	if owner != "" {
		a, err := h.accounts.Find(ctx, owner)
		if err != nil {
			return nil, err
		}
		filter.AccountID = a.ID
	}
	if clientID != "" {
		id, ok := oauth.ParseClientID(clientID, h.now())
		if !ok {
			return nil, fmt.Errorf("there is no application with the client_id %s", clientID)
		}
		filter.ApplicationID = id
	}
	return h.grants.List(ctx, filter)
}

func authorizationRevoke(c *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End an authorization: all its tokens stop working",
		Args:  cobra.ExactArgs(1),
		RunE: c.onData(func(ctx context.Context, h *house, args []string) error {
			id, ok := oauth.ParseID(args[0])
			err := store.ErrNotFound
			if ok {
				err = h.grants.Revoke(ctx, id)
			}
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no authorization %s", args[0])
			}
			if err != nil {
				return err
			}
			return c.done(map[string]string{"id": args[0], "done": "revoked"}, "revoked the authorization %s", args[0])
		}),
	}
	c.jsonFlag(cmd.Flags())
	return cmd
}
