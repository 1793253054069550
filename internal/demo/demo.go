// Package demo is the example third-party application that `latchkey demo` runs beside the
// provider, on another port: a client as any developer would write it, which shows each HTTP
// exchange that it makes.
//
// It knows the provider by its URL alone and imports nothing internal. Not here: anything of the
// provider, and storage; tokens live in this process's memory and are gone when it ends.
package demo

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
)

// Config says which provider the example application uses and as which application.
type Config struct {
	// Issuer is the provider's base URL, for instance http://127.0.0.1:8080. It must equal the
	// issuer that the provider's metadata names (RFC 8414 §3.3).
	Issuer string
	// BaseURL is where this application is reached, for instance http://127.0.0.1:8081. Its
	// redirect URI is BaseURL + "/callback", which must be registered.
	BaseURL string
	// ClientID and ClientSecret are the credentials of a registered confidential application.
	ClientID, ClientSecret string
	// Scope is what Connect and client credentials ask for, separated by spaces.
	Scope string
	// MissingScope is a scope that the provider knows and the token does not have, to show a call
	// that fails. When it is empty, that call is not offered.
	MissingScope string
}

func (c Config) redirectURI() string { return strings.TrimSuffix(c.BaseURL, "/") + "/callback" }

//go:embed page.html style.css icon.svg
var assets embed.FS

type app struct {
	config   Config
	provider *provider
	sessions *sessions
	page     *template.Template
}

// New returns the whole application. Nothing is asked of the provider before someone acts.
func New(c Config) http.Handler {
	a := &app{
		config:   c,
		provider: newProvider(c.Issuer),
		sessions: newSessions(strings.HasPrefix(c.BaseURL, "https:")),
		page:     template.Must(template.ParseFS(assets, "page.html")),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /connect", a.connect)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /refresh", a.withToken(a.refresh))
	mux.HandleFunc("POST /revoke", a.withToken(a.revoke))
	mux.HandleFunc("POST /call", a.withToken(a.call))
	mux.HandleFunc("POST /call-without-scope", a.withToken(a.callWithoutScope))
	mux.HandleFunc("POST /client-credentials", a.clientCredentials)
	mux.HandleFunc("POST /forget", a.forget)
	mux.Handle("GET /style.css", http.FileServerFS(assets))
	mux.Handle("GET /icon.svg", http.FileServerFS(assets))
	return withHeaders(http.NewCrossOriginProtection().Handler(mux))
}

func withHeaders(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
