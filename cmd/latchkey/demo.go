package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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
	"github.com/latchkey/latchkey/internal/server"
	"github.com/latchkey/latchkey/internal/store"
)

func demoCommand(c *config) *cobra.Command {
	var appListen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the provider and, beside it, an example application that uses it",
		Args:  cobra.NoArgs,
		// A configuration is that of a real server, which the demo must neither touch nor stand for.
		Annotations: map[string]string{commandLineAlone: "data database server-key-file issuer listen metrics-listen"},
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
	// begun: it serves.
	begun bool
}

func (d *demonstration) run(ctx context.Context, temporary bool) (err error) {
	if d.catalogue != nil && !d.catalogue.All().Covers(oauth.ProfileScope) {
		return d.wrong("scopes", ": %s is missing, and the example application needs it; add it, or leave the configuration out", oauth.ProfileScope)
	}
	defer func() { err = d.unlessInterrupted(ctx, d.begun, err) }()
	if temporary {
		if d.data, err = os.MkdirTemp("", "latchkey-demo-"); err != nil {
			return fmt.Errorf("make a temporary data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.data)) }()
	}
	d.serving = true
	outliveReaders()
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
	defer func() { err = errors.Join(err, h.store.Close()) }()
	made, err := readDemoMade(ctx, h)
	if err != nil {
		return err
	}
	h.meter.Start(ctx)
	defer func() { err = errors.Join(err, h.meter.Close(ctx)) }()
	return d.serve(ctx, h, made)
}

func (d *demonstration) serve(ctx context.Context, h *house, made *demoMade) error {
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
	set, err := made.prepare(ctx, h, appURL)
	if err != nil {
		return err
	}
	set.Issuer, set.BaseURL = issuer, appURL
	stopMetrics, err := d.serveMetrics(h)
	if err != nil {
		return err
	}
	defer stopMetrics()
	defer h.deliver(ctx)()
	example := server.Limited(demo.New(set.Config), h.log)
	exampleDone := make(chan error, 1)
	go func() { exampleDone <- example.Serve(app) }()

	d.begun = true
	fmt.Fprintf(d.out, "listening on %s\n\n", issuer)
	fmt.Fprintf(d.out, "  example application  %s\n  provider             %s\n  sign in with         %s\n  password             %s\n\n", appURL, issuer, set.email, set.password)
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

// demoMadeSetting is where a demo leaves what is its own in a store.
const demoMadeSetting = "demo"

// demoMade names what earlier demos made in a store: the next one uses that again.
type demoMade struct {
	Account  string `json:"account"`
	ClientID string `json:"client_id"`
}

// readDemoMade refuses a store that people use and no demo began: it is not for trying things.
func readDemoMade(ctx context.Context, h *house) (*demoMade, error) {
	made := &demoMade{}
	kept, err := h.store.Setting(ctx, demoMadeSetting)
	if errors.Is(err, store.ErrNotFound) {
		inhabited, err := h.store.Inhabited(ctx)
		if err == nil && inhabited {
			err = errors.New("this data has accounts that no demo made, and they are left as they are; leave --data and --database out for a temporary folder, or name a new one")
		}
		return made, err
	}
	if err == nil {
		err = json.Unmarshal([]byte(kept), made)
	}
	if err != nil {
		return made, fmt.Errorf("read what an earlier demo made: %w", err)
	}
	return made, nil
}

func (made *demoMade) keep(ctx context.Context, h *house) error {
	encoded, err := json.Marshal(made)
	if err == nil {
		err = h.store.PutSetting(ctx, demoMadeSetting, string(encoded))
	}
	if err != nil {
		return fmt.Errorf("write down what the demo made: %w", err)
	}
	return nil
}

// demoSet is what the demo runs with.
type demoSet struct {
	demo.Config
	email, password string
}

// prepare creates the account and registers the application, through the same
// code as everybody else; what an earlier demo made is used again.
func (made *demoMade) prepare(ctx context.Context, h *house, appURL string) (demoSet, error) {
	set := demoSet{password: "(the one of the first run)"}
	var owner oauth.Account
	var err error
	if made.Account != "" {
		owner, err = h.accounts.Find(ctx, made.Account)
	} else {
		owner, set.password, err = made.account(ctx, h)
	}
	if err != nil {
		return set, err
	}
	set.email = owner.Email
	details := application.Details{Name: demoApplication, RedirectURIs: []string{appURL + "/callback"}, Scope: oauth.ProfileScope}
	a, secret, err := made.application(ctx, h, owner, details)
	if err != nil {
		return set, err
	}
	set.Config = demo.Config{ClientID: a.ClientID, ClientSecret: secret, Scope: string(oauth.ProfileScope), MissingScope: "community"}
	if _, known := h.grants.Catalogue().Find("community"); !known {
		set.MissingScope = ""
	}
	return set, nil
}

// account creates the account of the demo.
func (made *demoMade) account(ctx context.Context, h *house) (owner oauth.Account, password string, err error) {
	if password, err = demoPassword(); err != nil {
		return owner, "", err
	}
	owner, err = h.accounts.Create(ctx, account.Registration{Email: demoEmail, Name: demoName, Password: password})
	if err != nil {
		return owner, "", err
	}
	made.Account = owner.ID.String()
	return owner, password, made.keep(ctx, h)
}

// application gives that of an earlier demo a new secret, or registers one.
func (made *demoMade) application(ctx context.Context, h *house, owner oauth.Account, details application.Details) (oauth.Application, string, error) {
	a, err := h.applications.OwnedBy(ctx, owner.ID, made.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		a, secret, err := h.applications.Register(ctx, application.Registration{Details: details, Owner: owner}, true)
		if err != nil {
			return a, "", err
		}
		made.ClientID = a.ClientID
		return a, secret, made.keep(ctx, h)
	}
	if err != nil {
		return a, "", err
	}
	_, err = h.applications.Edit(ctx, a.ID, true, func(application.Details) (application.Details, error) { return details, nil })
	if err != nil {
		return a, "", err
	}
	secret, err := h.applications.RotateSecret(ctx, a, time.Time{}, 0)
	return a, secret, err
}

func demoPassword() (string, error) {
	var raw [9]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("draw a password: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw[:]), nil
}
