package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/latchkey/latchkey/internal/throttle"
)

// believeProxies puts the real client's address into RemoteAddr where a trusted
// proxy stands before the server, and removes what nobody trusted said. What such a
// proxy was asked without TLS is for plain.
func believeProxies(next, plain http.Handler, trusted []netip.Prefix) http.Handler {
	trusts := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := netip.Addr{}
		if len(trusted) > 0 {
			client = throttle.Client(r.RemoteAddr)
		}
		if !trusts(client) {
			delete(r.Header, "X-Forwarded-For")
			delete(r.Header, "X-Forwarded-Proto")
			next.ServeHTTP(w, r)
			return
		}
		// Each proxy adds the address that it saw behind those it was told, so the
		// list is read from its end, as far as those who wrote it are trusted.
		hops := strings.FieldsFunc(strings.Join(r.Header.Values("X-Forwarded-For"), ","), func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
		for i := len(hops) - 1; i >= 0 && trusts(client); i-- {
			hop, ok := parseHop(hops[i])
			if !ok {
				break
			}
			client = hop
		}
		r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		if cameInPlain(r.Header.Values("X-Forwarded-Proto")) {
			plain.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// parseHop reads an address as proxies write it, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	a := throttle.Client(s)
	return a, a.IsValid()
}

// cameInPlain reports whether any of the schemes that were forwarded is http. A proxy that
// adds to what it was told leaves the client's own word there, so none alone is believed.
func cameInPlain(forwarded []string) bool {
	for _, value := range forwarded {
		for scheme := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(scheme), "http") {
				return true
			}
		}
	}
	return false
}
