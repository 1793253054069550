package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/latchkey/latchkey/internal/endpoint"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
	"github.com/latchkey/latchkey/internal/webhook"
)

// config is what a command is run with. Flags win over environment variables,
// and these over the file.
type config struct {
	terminal
	file, data string
	json       bool
	// serving: the command runs a server, which decides the scopes.
	serving bool
	// founding: the command may be the first on a new data folder.
	founding bool
	keyFile  string

	// database is the URL of a PostgreSQL, empty for SQLite in the data folder.
	database string

	listen, issuer, metricsListen string
	review                        string
	perApplication                int
	signUp, requirePKCE           bool
	accessLifetime                time.Duration
	refreshIdle, refreshReplay    time.Duration
	sessionLifetime               time.Duration
	trustedProxies                []string
	scopes                        []scopeConfig
	defaultScope                  []string
	limits                        limitsConfig
	paths                         pathsConfig
	brand                         page.Brand
	webhooksFile                  webhooksConfig
	webhooks                      webhook.Config
	// places says of each key that the file has, and nothing overrides, where it is.
	places  map[string]string
	exempt  throttle.Exempt
	trusted []netip.Prefix
	// catalogue is nil when no file configures scopes.
	catalogue *oauth.Catalogue
}

// reviewRequired is the value of review with which applications begin as drafts.
const reviewRequired = "required"

// serverFlags are what only the commands with a server have.
func (c *config) serverFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 picks one")
	flags.StringVar(&c.issuer, "issuer", "", "base URL by which everybody reaches the server (default: the address listened on)")
	flags.BoolVar(&c.signUp, "sign-up", true, "let people create accounts themselves")
	flags.BoolVar(&c.requirePKCE, "require-pkce", false, "require PKCE of confidential applications too")
	flags.StringVar(&c.review, "review", "none", "none, or required: until an administrator has verified it, only its developers and their test accounts can authorize an application")
	flags.DurationVar(&c.accessLifetime, "access-token-lifetime", 2*time.Hour, "how long an access token lives")
	flags.DurationVar(&c.refreshIdle, "refresh-token-idle", 180*24*time.Hour, "how long a refresh token lives that nobody uses")
	flags.DurationVar(&c.refreshReplay, "refresh-replay-window", 10*time.Second, "how long after a refresh a public application may repeat it")
	flags.DurationVar(&c.sessionLifetime, "session-lifetime", 30*24*time.Hour, "how long a browser stays signed in that is not used")
	flags.IntVar(&c.perApplication, "authorizations-per-application", store.DefaultPerApplication, "how many active authorizations an account may have for one application")
	flags.StringVar(&c.metricsListen, "metrics-listen", "", "address for GET /metrics in the Prometheus format (default: none)")
	flags.StringSliceVar(&c.trustedProxies, "trusted-proxies", nil, "addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed")
}

// commandLineAlone annotates a command with the flags, apart by spaces, that neither the
// environment nor the file sets for it.
const commandLineAlone = "command line alone"

// load completes the flags of a command from the environment and the file.
func (c *config) load(cmd *cobra.Command) error {
	if path, ok := c.env("LATCHKEY_CONFIG"); ok && !cmd.Flags().Changed("config") {
		c.file = path
	}
	names := settingNames(cmd.Root())
	settings, err := c.readFile(names)
	if err != nil {
		return err
	}
	var problem error
	alone := strings.Fields(cmd.Annotations[commandLineAlone])
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || !slices.Contains(names, f.Name) || slices.Contains(alone, f.Name) || problem != nil {
			return
		}
		variable := "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := c.env(variable); ok && value != "" {
			if err := setFlag(cmd.Flags(), f, variable, splitVariable(f, value)); err != nil {
				problem = usageError{err}
			}
		} else if s, ok := settings[f.Name]; ok {
			c.places[strings.ReplaceAll(f.Name, "-", "_")] = s.at
			if err := setFlag(cmd.Flags(), f, s.at, s.values); err != nil {
				problem = fileError{err}
			}
		}
	})
	if problem != nil {
		return problem
	}
	return c.interpret()
}

// splitVariable makes a list of a variable for a flag that can be repeated.
func splitVariable(f *pflag.Flag, value string) []string {
	if isList(f) {
		return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	}
	return []string{value}
}

func isList(f *pflag.Flag) bool {
	_, list := f.Value.(pflag.SliceValue)
	return list
}

func setFlag(flags *pflag.FlagSet, f *pflag.Flag, source string, values []string) error {
	if len(values) != 1 && !isList(f) {
		return fmt.Errorf("%s: there must be one value", source)
	}
	for _, value := range values {
		if err := flags.Set(f.Name, value); err != nil {
			// The library would name the flag, which was not used.
			return fmt.Errorf("%s: %q is not a valid value: %w", source, value, errors.Unwrap(err))
		}
	}
	return nil
}

// interpret checks what was configured.
func (c *config) interpret() error {
	if c.data == "" {
		return c.wrong("data", " must name a folder")
	}
	var err error
	if c.trusted, err = c.prefixes("trusted_proxies", c.trustedProxies); err != nil {
		return err
	}
	if c.exempt, err = c.prefixes("limits.exempt", c.limits.Exempt); err != nil {
		return err
	}
	if err := c.checkWebhooks(); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"access_token_lifetime", c.accessLifetime}, {"refresh_token_idle", c.refreshIdle}, {"session_lifetime", c.sessionLifetime},
	} {
		if d.value < time.Second {
			return c.wrong(d.name, " must be a second or more")
		}
	}
	if c.review != "" && c.review != "none" && c.review != reviewRequired {
		return c.wrong("review", " must be none or %s, not %q", reviewRequired, c.review)
	}
	if c.refreshReplay < 0 {
		return c.wrong("refresh_replay_window", " must not be negative")
	}
	if c.perApplication < 1 {
		return c.wrong("authorizations_per_application", " must be one or more")
	}
	if c.scopes == nil && c.defaultScope != nil {
		return fileError{fmt.Errorf("%s: configure the scopes too", c.at("default_scope"))}
	}
	if c.scopes == nil {
		return nil
	}
	catalogue, err := catalogueOf(c.scopes, c.defaultScope)
	if err != nil {
		return fileError{fmt.Errorf("%s: %w", c.file, err)}
	}
	c.catalogue = &catalogue
	return nil
}

// prefixes reads the networks and single addresses of a key.
func (c *config) prefixes(key string, list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, addrErr := netip.ParseAddr(s); addrErr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, c.wrong(key, ": %q is not an address or a network such as 10.0.0.0/8", s)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			// Some logs write IPv4 addresses so; those of clients are compared without.
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// catalogueOf checks the configured scopes. Without a configured default the
// default is profile, where that is configured.
func catalogueOf(scopes []scopeConfig, defaults []string) (oauth.Catalogue, error) {
	var c oauth.Catalogue
	for _, s := range scopes {
		parsed, refusal := oauth.ParseScope(s.Name)
		switch {
		case refusal != nil || string(parsed) != s.Name || len(parsed.Tokens()) != 1:
			return c, fmt.Errorf("scopes: %q is not a scope name (RFC 6749 section 3.3)", s.Name)
		case c.All().Has(s.Name):
			return c, fmt.Errorf("scopes: %s is configured twice", s.Name)
		case s.Description == "":
			return c, fmt.Errorf("scopes: %s needs a description: people read it when they are asked", s.Name)
		case !slices.Contains([]string{"", "none", "administrator"}, s.Approval):
			return c, fmt.Errorf("scopes: %s: approval must be none or administrator", s.Name)
		case !slices.Contains([]string{"", "optional", "required"}, s.Consent):
			return c, fmt.Errorf("scopes: %s: consent must be optional or required", s.Name)
		}
		c.Permissions = append(c.Permissions, oauth.Permission{
			Name: s.Name, Description: s.Description, Sensitive: s.Sensitive,
			NeedsApproval: s.Approval == "administrator", NeedsConsent: s.Consent == "required",
		})
	}
	if defaults == nil {
		c.Default = oauth.ProfileScope.Within(c.All())
		return c, nil
	}
	c.Default = oauth.ScopeOf(defaults...)
	if unknown := c.Default.Without(c.All()); unknown != "" {
		return c, fmt.Errorf("default_scope: unknown scope: %s", unknown)
	}
	return c, nil
}

// builtInScopes are those of a server without a configuration.
func builtInScopes() []scopeConfig {
	return []scopeConfig{{Name: string(oauth.ProfileScope), Description: "See your name, picture and email address"}}
}

// endpointPaths are the contract's, as far as they are not configured.
func (c *config) endpointPaths() (endpoint.Paths, error) {
	p := endpoint.DefaultPaths()
	for _, endpoint := range []struct {
		key, configured string
		target          *string
	}{
		{"authorize", c.paths.Authorize, &p.Authorize}, {"token", c.paths.Token, &p.Token}, {"revoke", c.paths.Revoke, &p.Revoke},
		{"introspect", c.paths.Introspect, &p.Introspect}, {"check", c.paths.Check, &p.Check}, {"me", c.paths.Me, &p.Me},
	} {
		if endpoint.configured == "" {
			continue
		}
		if err := checkPath(endpoint.configured); err != nil {
			return p, fileError{fmt.Errorf("%s: %w", c.at("paths."+endpoint.key), err)}
		}
		*endpoint.target = endpoint.configured
	}
	all := []string{p.Authorize, p.Token, p.Revoke, p.Introspect, p.Check, p.Me}
	slices.Sort(all)
	if len(slices.Compact(all)) != 6 {
		return p, fileError{fmt.Errorf("%s: two of them are the same", c.at("paths"))}
	}
	return p, nil
}

// checkPath keeps configured paths plain, and away from the pages.
func checkPath(s string) error {
	plain := strings.HasPrefix(s, "/") && path.Clean(s) == s && s != "/"
	for i := range len(s) {
		c := s[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/-._~", c) >= 0)
	}
	if !plain {
		return fmt.Errorf("%q is not a plain path such as /oauth/token", s)
	}
	for _, taken := range []string{"/settings", "/admin", "/docs", "/pictures", "/language", "/first-run", "/sign-in", "/sign-up", "/sign-out", "/assets", "/healthz", "/readyz", "/.well-known"} {
		if s == taken || strings.HasPrefix(s, taken+"/") {
			return fmt.Errorf("%s is taken by %s", s, taken)
		}
	}
	return nil
}

// logger writes text to a terminal and JSON to everything else.
func (t terminal) logger() *slog.Logger {
	if f, ok := t.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(t.err, nil))
	}
	return slog.New(slog.NewJSONHandler(t.err, nil))
}
