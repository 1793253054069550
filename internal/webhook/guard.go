package webhook

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// guard keeps deliveries away from what only this server can reach: a developer chooses
// where they go (server-side request forgery).
type guard struct {
	allow    []netip.Prefix
	loopback bool
}

// errForbidden: the name of a URL leads to an address that is not public.
var errForbidden = errors.New("the address is not public")

// special reports whether an address is in a network that is not for everybody's servers,
// beyond those that permits knows (RFC 6890), or that embeds IPv4 addresses.
func special(a netip.Addr) bool {
	for _, network := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		if netip.MustParsePrefix(network).Contains(a) {
			return true
		}
	}
	return false
}

// translated is the IPv4 address that a gateway reaches by an IPv6 one (RFC 6052 §2.1):
// where there is no other way, every public address is dialled so.
func translated(a netip.Addr) netip.Addr {
	if !netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		return a
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// permits decides about an address that is about to be dialled.
func (g guard) permits(a netip.Addr) bool {
	a = translated(a.Unmap().WithZone(""))
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case slices.ContainsFunc(g.allow, within), g.loopback && a.IsLoopback():
		return true
	case !a.IsGlobalUnicast(), a.IsPrivate():
		return false
	case a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a):
		// Nothing else is given out to anybody yet (RFC 4291 §2.4).
		return false
	}
	return !special(a)
}

// control is asked by the dialer about each address, behind the resolver: what a name
// leads to at another time does not count.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !g.permits(a.Addr()) {
		return errForbidden
	}
	return nil
}

// Limits of one attempt.
const (
	attemptTime   = 10 * time.Second
	maxAnswer     = 64 << 10
	maxURL        = 2000
	keepConnected = 30 * time.Second
)

// client dials nothing but what the guard permits: no proxy of the environment, no
// redirect.
func (g guard) client() *http.Client {
	dialer := &net.Dialer{Timeout: attemptTime, Control: g.control}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: attemptTime, MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConns: parallel, MaxIdleConnsPerHost: perApplication, IdleConnTimeout: keepConnected,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkURL says what is wrong with where a developer wants deliveries to go.
func (g guard) checkURL(address string) oauth.Sentence {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return oauth.Say("Enter the URL that is to be told.")
	case len(address) > maxURL:
		return oauth.Say("Use at most %d characters.", maxURL)
	case strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }):
		return oauth.Say("Escape spaces and special characters with a percent sign.")
	case err != nil || u.Host == "":
		return oauth.Say("Enter a whole URL, such as https://app.example/webhook.")
	case !oauth.CheckHost(u).IsZero():
		return oauth.CheckHost(u)
	case u.User != nil || strings.Contains(address, "#"):
		return oauth.Say("Leave out user name, password and fragment (#…).")
	case g.loopback && u.Scheme == "http" && oauth.LoopbackHost(u.Hostname()):
		return oauth.Sentence{}
	case u.Scheme != "https":
		return oauth.Say("Enter an address that begins with https://.")
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err == nil && !g.permits(a) || err != nil && !g.loopback && oauth.LoopbackHost(u.Hostname()) {
		return oauth.Say("This server delivers to public addresses only.")
	}
	return oauth.Sentence{}
}
