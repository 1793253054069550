package oauth

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Limits on what an application registers.
const (
	maxRedirectURILength = 2000
	MaxRedirectURIs      = 20
)

// RedirectKind tells how a redirection endpoint is reached.
type RedirectKind int

// The kinds of redirection endpoint.
const (
	// RedirectHTTPS goes to a web server that proved its name by TLS.
	RedirectHTTPS RedirectKind = iota
	// RedirectLoopback goes to a program on the person's own machine (RFC 8252 §7.3).
	RedirectLoopback
	// RedirectPrivateUse goes to whatever app claimed the scheme (RFC 8252 §7.1).
	RedirectPrivateUse
)

// responseParameters are what an authorization answer adds to the redirect URI
// (RFC 6749 §4.1.2, RFC 9207); none may be there already.
func responseParameters() []string {
	return []string{"code", "state", "iss", "error", "error_description", "error_uri"}
}

// CheckRedirectURI decides whether an application may register uri. What is wrong is a
// sentence for the developer who typed it, zero when nothing is.
func CheckRedirectURI(uri string, public bool) (wrong Sentence) {
	switch {
	case uri == "":
		return Say("A redirect URL is empty.")
	case len(uri) > maxRedirectURILength:
		return Say("A redirect URL has at most %d characters.", maxRedirectURILength)
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= 0x20 || r > 0x7e || strings.ContainsRune("\"<>\\^`{|}", r) }):
		return unescaped()
	case strings.Contains(uri, "#"):
		return Say("A redirect URL must have no fragment (#...): RFC 6749 section 3.1.2.")
	case strings.Contains(uri, "*"):
		return Say("A redirect URL must have no wildcard: it is compared as an exact string.")
	case !validEscapes(uri):
		return Say("It has a percent sign without two hexadecimal digits behind it; write %25 for the sign itself.")
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return Say("It is not an absolute URL, such as https://app.example/callback.")
	}
	if u.User != nil {
		return Say("A redirect URL must have no user name or password in it.")
	}
	if name := responseParameterIn(u.RawQuery); name != "" {
		return Say("A redirect URL must not have the parameter %s in its query: the answer adds it.", name)
	}
	return checkRedirectTarget(u, public)
}

// validEscapes reports whether two hexadecimal digits follow every percent sign. url.Parse does
// not look at those in a query.
func validEscapes(uri string) bool {
	_, err := url.PathUnescape(uri)
	return err == nil
}

func checkRedirectTarget(u *url.URL, public bool) Sentence {
	switch u.Scheme {
	case "https", "http":
		if wrong := CheckHost(u); !wrong.IsZero() {
			return wrong
		}
		if u.Scheme == "http" && !isLoopbackRedirectHost(u.Host) {
			return Say("A redirect URL may use http for 127.0.0.1, [::1] and localhost only; use https.")
		}
		return Sentence{}
	}
	if !strings.Contains(u.Scheme, ".") {
		return Say("It has the scheme %s; use https, or for a public application a scheme of your own with a dot, such as com.example.app.", u.Scheme)
	}
	if !public {
		return Say("It has a scheme of its own, which only public applications may use.")
	}
	return Sentence{}
}

// AdviseRedirectURI says what of a redirect URI that may be registered is often a mistake.
func AdviseRedirectURI(uri string) []Sentence {
	u, err := url.Parse(uri)
	if err != nil {
		return nil
	}
	var advice []Sentence
	kind := RedirectKindOf(uri)
	if kind == RedirectLoopback && strings.HasPrefix(u.Host, "localhost") {
		advice = append(advice, Say("localhost and 127.0.0.1 are two different redirect URLs. Prefer 127.0.0.1 (RFC 8252 section 8.3), and send what is registered."))
	}
	if kind == RedirectLoopback {
		advice = append(advice, Say("http works on this machine only, with any port. People are asked every time."))
	}
	if kind != RedirectPrivateUse && u.Path == "" {
		advice = append(advice, Say("It ends with the host: a request with a slash behind it does not match."))
	}
	if strings.HasSuffix(u.Path, "/") {
		advice = append(advice, Say("It ends with a slash: a request without it does not match."))
	}
	if u.RawQuery != "" {
		advice = append(advice, Say("It has a query: a request must send the same, byte for byte."))
	}
	if u.Host != strings.ToLower(u.Host) {
		advice = append(advice, Say("Its host has capital letters: a request must write them too."))
	}
	return advice
}

// TrialCallback is where those who manage an application try it by hand: a page of this
// server that needs no registration, and that nobody else is sent to.
func TrialCallback(issuer, clientID string) string {
	return issuer + "/settings/applications/" + clientID + "/try/callback"
}

// CheckHost says what is wrong with the host or the port of a URL, zero when nothing is.
func CheckHost(u *url.URL) Sentence {
	switch {
	case !validPort(u):
		return Say("It has no valid port: that is a number from 1 to 65535.")
	case !validHost(u):
		return Say("It has no valid host; write an international name in its xn-- form.")
	}
	return Sentence{}
}

// validPort reports whether the port of a URL, if there is one, can exist.
func validPort(u *url.URL) bool {
	_, port, found := strings.Cut(u.Host[strings.LastIndexByte(u.Host, ']')+1:], ":")
	n, err := strconv.ParseUint(port, 10, 16)
	return !found || err == nil && n > 0
}

// validHost reports whether the host of a URL is an IP address or a name of
// letters, digits and hyphens, so that what people read is where browsers go.
func validHost(u *url.URL) bool {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		address, err := netip.ParseAddr(host)
		return err == nil && address.Zone() == ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !validLabel(label) {
			return false
		}
	}
	if endsInNumber(host) {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return len(host) <= 253
}

// endsInNumber reports whether browsers read a host as an IPv4 address, in whatever form
// (URL standard, "ends in a number").
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}

// validLabel follows RFC 1123 §2.1, and lets underscores pass, which are in use.
func validLabel(label string) bool {
	for i := range len(label) {
		c := label[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-'
}

func isLoopbackRedirectHost(host string) bool {
	rest, ok := cutLoopbackHost(host)
	return ok && (rest == "" || strings.HasPrefix(rest, ":"))
}

func cutLoopbackHost(s string) (rest string, ok bool) {
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		if rest, ok = strings.CutPrefix(s, host); ok {
			return rest, true
		}
	}
	return s, false
}

func responseParameterIn(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil && slices.Contains(responseParameters(), decoded) {
			return decoded
		}
	}
	return ""
}

// RedirectKindOf tells the kind of a registered redirect URI.
func RedirectKindOf(uri string) RedirectKind {
	switch scheme, _, _ := strings.Cut(uri, ":"); strings.ToLower(scheme) {
	case "https":
		return RedirectHTTPS
	case "http":
		return RedirectLoopback
	}
	return RedirectPrivateUse
}

// RedirectHost is what a person should know of where a redirect URI leads: the
// host, or the scheme of an app.
func RedirectHost(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		scheme, _, _ := strings.Cut(uri, ":")
		return scheme + ":"
	}
	if RedirectKindOf(uri) == RedirectPrivateUse {
		return u.Scheme + ":"
	}
	return u.Host
}

// MatchRedirectURI reports whether presented is a registered redirect URI: the
// same string, but for the port of an http loopback URI, which may be any
// (RFC 8252 §7.3: a native app listens where it can). The scheme is http however it is
// written (RFC 3986 §3.1), but must be written the same.
func MatchRedirectURI(registered []string, presented string) bool {
	if slices.Contains(registered, presented) {
		return true
	}
	portless, ok := withoutLoopbackPort(presented)
	return ok && slices.ContainsFunc(registered, func(uri string) bool {
		r, ok := withoutLoopbackPort(uri)
		return ok && r == portless
	})
}

func withoutLoopbackPort(uri string) (string, bool) {
	const scheme = "http://"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return "", false
	}
	rest, ok := cutLoopbackHost(uri[len(scheme):])
	if !ok {
		return "", false
	}
	beginning := uri[:len(uri)-len(rest)]
	if port, found := strings.CutPrefix(rest, ":"); found {
		digits := len(port) - len(strings.TrimLeft(port, "0123456789"))
		if n, err := strconv.ParseUint(port[:digits], 10, 16); err != nil || n == 0 {
			return "", false
		}
		rest = port[digits:]
	}
	if rest != "" && rest[0] != '/' && rest[0] != '?' {
		return "", false
	}
	return beginning + rest, true
}

// LoopbackHost reports whether host, without port and brackets, names this machine only.
func LoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Parameter is a name and a value that an authorization answer adds.
type Parameter struct{ Name, Value string }

// AddToRedirectURI appends the parameters that have a value to whatever query
// uri already has; the bytes of uri stay as they were registered.
func AddToRedirectURI(uri string, parameters ...Parameter) string {
	var b strings.Builder
	b.WriteString(uri)
	separator := byte('?')
	if i := strings.IndexByte(uri, '?'); i >= 0 {
		separator = '&'
		if i == len(uri)-1 || uri[len(uri)-1] == '&' {
			separator = 0
		}
	}
	for _, p := range parameters {
		if p.Value == "" {
			continue
		}
		if separator != 0 {
			b.WriteByte(separator)
		}
		separator = '&'
		p.encode(&b)
	}
	return b.String()
}

func (p Parameter) encode(b *strings.Builder) {
	escape(b, p.Name)
	b.WriteByte('=')
	escape(b, p.Value)
}

// escape leaves only unreserved characters, and writes a space as %20: some
// clients do not read + as a space.
func escape(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
}
