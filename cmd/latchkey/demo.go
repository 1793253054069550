package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/demo"
	"github.com/latchkey/latchkey/internal/oauth"
)

func demoCommand(c *config) *cobra.Command {
	var appListen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the provider and, beside it, an example application that uses it",
		Args:  cobra.NoArgs,
	}
	c.serverFlags(cmd.Flags())
	cmd.Flags().StringVar(&appListen, "app-listen", "127.0.0.1:8081", "address of the example application; port 0 picks one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flags := cmd.Flags()
		d := demonstration{config: c, appListen: appListen, anyPort: !flags.Changed("listen"), anyAppPort: !flags.Changed("app-listen")}
		return d.run(cmd.Context(), !flags.Changed("data"))
	}
	return cmd
}

// demonstration is one run of the demo.
type demonstration struct {
	*config
	appListen string
	// anyPort and anyAppPort: another port will do when the usual one is taken.
	anyPort, anyAppPort bool
}

func (d *demonstration) run(ctx context.Context, temporary bool) (err error) {
	if temporary {
		if d.data, err = os.MkdirTemp("", "latchkey-demo-"); err != nil {
			return fmt.Errorf("make a temporary data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.data)) }()
	}
	d.serving = true
	if d.catalogue == nil {
		d.scopes = append(builtInScopes(), scopeConfig{Name: "community", Description: "See the communities you belong to"})
		if err := d.interpret(); err != nil {
			return err
		}
	}
	h, err := d.open(ctx)
	if err != nil {
		return err
	}
	h.meter.Start(ctx)
	defer func() { err = errors.Join(err, h.meter.Close(ctx), h.store.Close()) }()
	return d.serve(ctx, h)
}

func (d *demonstration) serve(ctx context.Context, h *house) error {
	provider, err := listen(d.listen, d.anyPort)
	if err != nil {
		return err
	}
	defer provider.Close()
	app, err := listen(d.appListen, d.anyAppPort)
	if err != nil {
		return err
	}
	defer app.Close()
	issuer, err := d.issuerFor(provider.Addr())
	if err != nil {
		return err
	}
	s, err := h.server(ctx, d.config, issuer)
	if err != nil {
		return err
	}
	if err := h.leaveScopes(ctx, d.config); err != nil {
		return err
	}
	// Another host name than the provider's, as in real life: cookies are kept
	// apart by host, not by port.
	_, port, err := net.SplitHostPort(app.Addr().String())
	if err != nil {
		return fmt.Errorf("find the port of the example application: %w", err)
	}
	appURL := "http://localhost:" + port
	set, err := d.prepare(ctx, h, appURL)
	if err != nil {
		return err
	}
	set.Issuer, set.BaseURL = issuer, appURL
	defer h.deliver(ctx)()
	example := &http.Server{Handler: demo.New(set.Config), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second}
	exampleDone := make(chan error, 1)
	go func() { exampleDone <- example.Serve(app) }()

	fmt.Fprintf(d.out, "listening on %s\n\n", issuer)
	fmt.Fprintf(d.out, "  example application  %s\n  provider             %s\n  sign in with         %s\n  password             %s\n\n", appURL, issuer, demoEmail, set.password)
	fmt.Fprintln(d.out, "Open the example application and press Connect. Ctrl-C ends both.")
	err = s.Serve(ctx, provider)
	return errors.Join(err, example.Close(), ignoreClosed(<-exampleDone))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listen takes another port when the usual one is taken and any will do.
func listen(address string, anyPort bool) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil && anyPort {
		host, _, _ := strings.Cut(address, ":")
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return l, nil
}

const (
	demoEmail       = "ada@example.com"
	demoName        = "Ada Example"
	demoApplication = "Tidepool"
)

// demoSet is what the demo made for itself.
type demoSet struct {
	demo.Config
	password string
}

// prepare creates the account and registers the application, through the same
// code as everybody else; a data folder that has them from before is used again.
func (d *demonstration) prepare(ctx context.Context, h *house, appURL string) (demoSet, error) {
	set := demoSet{password: "(the one of the first run)"}
	owner, err := h.accounts.Find(ctx, demoEmail)
	if err != nil {
		if set.password, err = demoPassword(); err != nil {
			return set, err
		}
		owner, err = h.accounts.Create(ctx, account.Registration{Email: demoEmail, Name: demoName, Password: set.password})
		if err != nil {
			return set, err
		}
	}
	details := application.Details{Name: demoApplication, RedirectURIs: []string{appURL + "/callback"}, Scope: "profile"}
	a, secret, err := d.register(ctx, h, owner, details)
	if err != nil {
		return set, err
	}
	set.Config = demo.Config{ClientID: a.ClientID, ClientSecret: secret, Scope: "profile", MissingScope: "community"}
	if _, known := h.grants.Catalogue().Find("community"); !known {
		set.MissingScope = ""
	}
	return set, nil
}

// register finds the example application of an earlier run and gives it a new
// secret, or registers it.
func (d *demonstration) register(ctx context.Context, h *house, owner oauth.Account, details application.Details) (oauth.Application, string, error) {
	all, err := h.applications.Of(ctx, owner.ID)
	if err != nil {
		return oauth.Application{}, "", err
	}
	for _, a := range all {
		if a.Name != details.Name {
			continue
		}
		edited, err := h.applications.Edit(ctx, a.ID, false, func(application.Details) (application.Details, error) { return details, nil })
		if err != nil {
			return edited, "", err
		}
		secret, err := h.applications.RotateSecret(ctx, a, time.Time{}, 0)
		return a, secret, err
	}
	return h.applications.Register(ctx, application.Registration{Details: details, Owner: owner}, false)
}

func demoPassword() (string, error) {
	var raw [9]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("draw a password: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}
