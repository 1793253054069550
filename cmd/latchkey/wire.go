package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/admin"
	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/authorize"
	"github.com/latchkey/latchkey/internal/endpoint"
	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/guide"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/picture"
	"github.com/latchkey/latchkey/internal/portal"
	"github.com/latchkey/latchkey/internal/server"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
	"github.com/latchkey/latchkey/internal/usage"
	"github.com/latchkey/latchkey/internal/webhook"
)

// codeLifetime is fixed by the contract.
const codeLifetime = time.Minute

// house is a data folder, opened, with everything that works on it.
type house struct {
	store        *store.Store
	accounts     *account.Accounts
	applications *application.Applications
	grants       *grant.Grants
	meter        *usage.Meter
	// key is for a server alone.
	key oauth.Key
	// scopes and pages are what the first run of a platform changes; pages is set by server.
	scopes *oauth.Scopes
	pages  *page.Pages
	// webhooks is set by server.
	webhooks *webhook.Webhooks
	log      *slog.Logger
	now      func() time.Time
}

// open wires what every command needs. A command that is not told the scopes
// takes those that the last server on this data was configured with.
func (c *config) open(ctx context.Context) (*house, error) {
	h := &house{log: c.logger()}
	if c.serving {
		// The standard library's HTTP client tells the default logger of receivers of webhooks.
		slog.SetDefault(h.log)
	}
	var err error
	h.store, err = store.Open(ctx, store.Options{
		Folder: c.data, Database: c.database, Now: time.Now, Serve: c.serving, PerApplication: c.perApplication, Log: h.log,
		// A mistyped name should not look like an empty store.
		Existing: !c.serving && !c.founding,
	})
	if errors.Is(err, store.ErrNoData) {
		return nil, c.noData()
	}
	if err != nil {
		return nil, err
	}
	h.now = h.store.Now
	if err := h.furnish(ctx, c); err != nil {
		return nil, errors.Join(err, h.store.Close())
	}
	return h, nil
}

// noData tells a command that is not one with which a store begins where it looked.
func (c *config) noData() error {
	if c.database != "" {
		return errors.New("there is no data in the database; name another with --database, or begin with latchkey serve")
	}
	return fmt.Errorf("there is no data in %s; name the data folder with --data", c.data)
}

// onData runs a command on the opened data folder.
func (c *config) onData(command func(ctx context.Context, h *house, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		h, err := c.open(cmd.Context())
		if err != nil {
			return err
		}
		ctx := oauth.WithActor(cmd.Context(), oauth.Actor{Name: "command line"})
		return errors.Join(command(ctx, h, args), h.store.Close())
	}
}

func (h *house) furnish(ctx context.Context, c *config) error {
	var err error
	// Nothing that commands do derives anything from the key.
	if c.serving {
		if h.key, err = c.serverKey(h.log); err != nil {
			return err
		}
	}
	catalogue, err := c.scopesFor(ctx, h.store)
	if err != nil {
		return err
	}
	h.scopes = oauth.NewScopes(catalogue)
	h.accounts, err = account.New(h.store, rand.Reader, h.now, account.Config{
		SessionLifetime: c.sessionLifetime, SignUp: c.signUp, Exempt: c.exempt,
	})
	if err != nil {
		return err
	}
	h.applications = application.New(h.store, rand.Reader, h.now, h.scopes)
	h.meter = usage.New(h.store, rand.Reader, h.now, h.log)
	h.grants = grant.New(h.store, h.meter, h.key, rand.Reader, h.now, h.log, grant.Config{
		Scopes: h.scopes, CodeLifetime: codeLifetime, RequirePKCE: c.requirePKCE, Review: c.review == reviewRequired, Exempt: c.exempt,
		Refresh: oauth.RefreshLimits{AccessLifetime: c.accessLifetime, Idle: c.refreshIdle, ReplayWindow: c.refreshReplay},
	})
	return nil
}

// server wires the URLs for an issuer.
func (h *house) server(ctx context.Context, c *config, issuer string) (*server.Server, error) {
	paths, err := c.endpointPaths()
	if err != nil {
		return nil, err
	}
	secure := strings.HasPrefix(issuer, "https:")
	brand, err := c.brandFor(ctx, h.store)
	if err != nil {
		return nil, err
	}
	pages, err := page.New(brand, secure, h.log)
	if err != nil {
		return nil, err
	}
	h.pages = pages
	h.webhooks = h.webhooksFor(c, issuer)
	door := signin.New(h.accounts, pages, h.log, secure)
	endpoints := endpoint.New(h.grants, h.meter, issuer, paths, h.log)
	urls := page.Endpoints{
		Issuer: issuer, Authorize: issuer + paths.Authorize, Token: issuer + paths.Token, Revoke: issuer + paths.Revoke, Me: issuer + paths.Me,
	}
	return server.New(server.Rooms{
		Endpoints: endpoints,
		Authorize: authorize.New(h.grants, h.meter, h.applications, door, pages, h.key, issuer, h.now),
		Portal: &portal.Portal{
			Accounts: h.accounts, Applications: h.applications, Grants: h.grants, Meter: h.meter, Webhooks: h.webhooks, Door: door, Pages: pages, Log: h.log, Now: h.now,
			Endpoints: urls, Protocol: portal.Protocol{Trial: endpoints.Trial, Me: endpoints.Me()}, Key: h.key, Secure: secure,
			Picture: h.store.Picture, Studio: picture.NewStudio(), UploadLimit: throttle.New(20, time.Minute, c.exempt, h.now),
			LookUpLimit: throttle.New(30, time.Minute, c.exempt, h.now),
		},
		Admin: &admin.Admin{
			Store: h.store, Accounts: h.accounts, Applications: h.applications, Grants: h.grants, Meter: h.meter, Door: door, Pages: pages, Log: h.log,
			FirstRun: h.firstRun(c, secure),
		},
		Guide: &guide.Guide{
			Facts: guide.Facts{
				Endpoints: urls, Introspect: issuer + paths.Introspect, Check: issuer + paths.Check, Metadata: issuer + endpoint.Metadata,
				AccessLifetime: c.accessLifetime, RefreshIdle: c.refreshIdle, ReplayWindow: c.refreshReplay, RequirePKCE: c.requirePKCE, Review: c.review == reviewRequired,
				PerApplication: c.perApplication,
			},
			Catalogue: h.grants.Catalogue, Applications: h.applications, Door: door, Pages: pages,
		},
		Door: door, Pages: pages, Ready: h.store.Ready,
	}, server.Config{Issuer: issuer, Paths: paths, TrustedProxies: c.trusted}, h.log)
}

// serverKey reads the server key from the environment, or from its file, or makes
// one for a new data folder. Replicas share one.
func (c *config) serverKey(log *slog.Logger) (oauth.Key, error) {
	if text, ok := c.env("LATCHKEY_SERVER_KEY"); ok && text != "" {
		key, err := oauth.ParseKey(strings.TrimSpace(text))
		if err != nil {
			return oauth.Key{}, usageError{fmt.Errorf("LATCHKEY_SERVER_KEY: %w", err)}
		}
		return key, nil
	}
	path := filepath.Join(c.data, "server.key")
	if c.keyFile != "" {
		path = c.keyFile
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.keyFile == "" {
		if err := makeServerKey(path); err != nil {
			return oauth.Key{}, fmt.Errorf("make the server key: %w", err)
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return oauth.Key{}, fmt.Errorf("read the server key: %w", err)
	}
	if about, err := os.Stat(path); err == nil && about.Mode().Perm()&0o077 != 0 && c.keyFile == "" {
		log.Warn("the server key can be read by others; make it private with chmod 600", "file", path)
	}
	key, err := oauth.ParseKey(strings.TrimSpace(string(raw)))
	if err != nil {
		return oauth.Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// makeServerKey writes a key whole or not at all, and leaves one alone that
// another process wrote meanwhile.
func makeServerKey(path string) error {
	key, err := oauth.NewKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".server.key-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(key.Hex() + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// issuerFor decides the base URL of a server that listens on address. Plain http
// is for this machine only (RFC 8414 §2 wants https).
func (c *config) issuerFor(address net.Addr) (string, error) {
	if c.issuer == "" {
		host, port, err := net.SplitHostPort(c.listen)
		if err != nil {
			return "", c.wrong("listen", ": %q is not HOST:PORT", c.listen)
		}
		if !oauth.LoopbackHost(host) {
			return "", usageError{fmt.Errorf("set --issuer to the https URL by which everybody reaches this server: it listens on %s, which is not this machine alone", c.listen)}
		}
		if _, actual, err := net.SplitHostPort(address.String()); err == nil {
			port = actual
		}
		return "http://" + net.JoinHostPort(host, port), nil
	}
	u, err := url.Parse(strings.TrimSuffix(c.issuer, "/"))
	switch {
	case err != nil || !oauth.CheckHost(u).IsZero() || u.Scheme != "https" && u.Scheme != "http":
		return "", c.wrong("issuer", ": %q is not a URL such as https://id.example.com", c.issuer)
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(c.issuer, "#") || u.User != nil:
		return "", c.wrong("issuer", ": %q must be a scheme and a host alone, such as https://id.example.com", c.issuer)
	case u.Scheme == "http" && !oauth.LoopbackHost(u.Hostname()):
		return "", c.wrong("issuer", ": %q must be https: plain http is for this machine only", c.issuer)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}
