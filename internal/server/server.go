// Package server leads each URL to its room, and is what happens to a request
// before its handler: who the client really is, limits, and the two sets of
// rules. Programs get no cookies and open CORS; browsers get sessions, protection
// against other sites, and a content security policy.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey/latchkey/internal/admin"
	"github.com/latchkey/latchkey/internal/authorize"
	"github.com/latchkey/latchkey/internal/endpoint"
	"github.com/latchkey/latchkey/internal/guide"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/portal"
	"github.com/latchkey/latchkey/internal/signin"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Rooms are the handlers that the server leads to.
type Rooms struct {
	Endpoints *endpoint.Endpoints
	Authorize *authorize.Handler
	Portal    *portal.Portal
	Guide     *guide.Guide
	Admin     *admin.Admin
	Door      *signin.Door
	Pages     *page.Pages
	// Ready reports whether the store answers.
	Ready func(context.Context) error
}

// Config is what the operator decides about the server.
type Config struct {
	// Issuer is the base URL by which everybody reaches the server.
	Issuer string
	Paths  endpoint.Paths
	// TrustedProxies are believed about X-Forwarded-For and X-Forwarded-Proto.
	TrustedProxies []netip.Prefix
}

// Server answers HTTP.
type Server struct {
	handler http.Handler
	log     *slog.Logger
	// linger is how long a server that ends answers on connections without a request in flight.
	linger  time.Duration
	leaving atomic.Bool
}

// New wires the URLs.
func New(rooms Rooms, config Config, log *slog.Logger) (*Server, error) {
	s := &Server{log: log, linger: lingerTime}
	browsers := http.NewServeMux()
	browsers.Handle("GET "+config.Paths.Authorize, rooms.Authorize)
	browsers.Handle("POST "+config.Paths.Authorize, rooms.Authorize)
	rooms.Door.Routes(browsers)
	rooms.Portal.Routes(browsers)
	rooms.Guide.Routes(browsers)
	rooms.Admin.Routes(browsers)
	browsers.HandleFunc("POST /language", rooms.Pages.SwitchLanguage)
	browsers.Handle("GET /assets/{file}", rooms.Pages.Assets())
	guarded, err := guardBrowsers(withPages(browsers, rooms.Pages), rooms.Pages, config.Issuer)
	if err != nil {
		return nil, err
	}

	handler := s.programs(rooms, config.Paths, http.HandlerFunc(rooms.Portal.ServePicture), guarded)
	plain := handler
	if isHTTPS(config.Issuer) {
		rooms.Endpoints = rooms.Endpoints.WithoutTLS()
		secured := overTLS(rooms.Pages, config.Issuer)
		plain = s.programs(rooms, config.Paths, secured, secured)
	}
	s.handler = newBounds().around(believeProxies(handler, plain, config.TrustedProxies))
	return s, nil
}

func isHTTPS(issuer string) bool { return strings.HasPrefix(issuer, "https:") }

// originOf is the origin of an issuer as browsers write it: without the port that is the
// default (RFC 6454 §6.2).
func originOf(issuer string) string {
	if isHTTPS(issuer) {
		return strings.TrimSuffix(issuer, ":443")
	}
	return strings.TrimSuffix(issuer, ":80")
}

// programs leads to what programs call, to the pictures, and everything else to the pages.
func (s *Server) programs(rooms Rooms, paths endpoint.Paths, pictures, pages http.Handler) http.Handler {
	e, mux := rooms.Endpoints, http.NewServeMux()
	protocol := map[string]http.Handler{
		paths.Token: e.Token(), paths.Revoke: e.Revoke(), paths.Introspect: e.Introspect(),
		paths.Check: e.Check(), paths.Me: e.Me(), endpoint.Metadata: e.Metadata(),
	}
	for path, h := range protocol {
		mux.Handle(path, h)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready(rooms.Ready))
	mux.Handle("GET /pictures/{id}", pictures)
	mux.Handle("/", pages)
	return directly(protocol, mux, pages)
}

// directly leads to what has a path of its own. A search through all patterns costs a
// request that is answered from memory as much as its answer. What is written in another
// way than patterns are is left to the pages, which have none there.
func directly(paths map[string]http.Handler, rest, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" && r.URL.Opaque == "" {
			// It means the same (RFC 9110 §4.2.3), and ServeMux would redirect it.
			r.URL.Path = "/"
		}
		// A path that is written in another way than it reads is for the rest to judge.
		if h := paths[r.URL.Path]; h != nil && r.URL.RawPath == "" {
			h.ServeHTTP(w, r)
		} else if isClean(r.URL.Path) {
			rest.ServeHTTP(w, r)
		} else {
			pages.ServeHTTP(w, r)
		}
	})
}

// isClean reports whether a path begins at the root and has no empty, "." or ".." segment.
// ServeMux redirects one that does not, with a status by which a form is sent again, its
// password too (RFC 9700 §4.12).
func isClean(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/")
}

// guardBrowsers puts the rules for browsers before the pages.
func guardBrowsers(next http.Handler, pages *page.Pages, issuer string) (http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(originOf(issuer)); err != nil {
		return nil, fmt.Errorf("trust the issuer's own origin: %w", err)
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.Write(w, r, http.StatusForbidden, page.Problem{
			Frame:  page.Frame{Title: oauth.Say("This came from another site")},
			Person: oauth.Say("Nothing was changed. Open the page here and try again."), BackTo: "/", BackText: oauth.Say("Your settings"),
		})
	}))
	protected := protection.Handler(next)
	https, limit := isHTTPS(issuer), formLimit()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Secure(w.Header())
		if https {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		most := limit(r)
		r.Body = http.MaxBytesReader(w, r.Body, most)
		if most > maxForm {
			w = afterUpload{w, r}
		}
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil && len(r.PostForm) == 0 {
				pages.Write(w, r, http.StatusBadRequest, page.Problem{
					Frame: page.Frame{Title: oauth.Say("This form cannot be read")}, Person: oauth.Say("Go back, reload the page and try again."),
				})
				return
			}
		}
		// Who it is, the handlers say that know the session.
		stranger := oauth.Actor{Name: "somebody", Address: throttle.Client(r.RemoteAddr).String()}
		protected.ServeHTTP(w, r.WithContext(oauth.WithActor(r.Context(), stranger)))
	}), nil
}

// overTLS sends whoever asks for a page in plain HTTP to its https URL. What would change
// something is refused before it is read: others could have read it, and written it too.
func overTLS(pages *page.Pages, issuer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Secure(w.Header())
		target := r.URL.RequestURI()
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.HasPrefix(target, "/") {
			w.Header().Set("Location", issuer+target)
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		pages.Write(w, r, http.StatusBadRequest, page.Problem{
			Frame:  page.Frame{Title: oauth.Say("This was sent without encryption")},
			Person: oauth.Say("Nothing was changed. Open the page here and try again."), BackTo: issuer + "/", BackText: oauth.Say("Your settings"),
		})
	})
}

// withPages lets people see a page where the mux has none, and where a page is
// not called by this method. What only takes a form leads to the page above it.
func withPages(mux *http.ServeMux, pages *page.Pages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verdict := &statusOnly{header: w.Header(), status: http.StatusNotFound}
		if isClean(r.URL.Path) {
			h, pattern := mux.Handler(r)
			if pattern != "" {
				mux.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(verdict, r)
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case verdict.status == http.StatusNotFound:
			pages.Write(w, r, verdict.status, page.NoSuchPage())
		case verdict.status == http.StatusMethodNotAllowed && reads:
			page.Redirect(w, above(mux, r))
		case verdict.status == http.StatusMethodNotAllowed:
			pages.Write(w, r, verdict.status, page.Problem{
				Frame: page.Frame{Title: oauth.Say("This page cannot be opened like that")}, Person: oauth.Say("Go to it from your settings."), BackTo: "/", BackText: oauth.Say("Your settings"),
			})
		default:
			w.WriteHeader(verdict.status)
		}
	})
}

// above is the nearest page above an address, the first page of all if there is no other.
func above(mux *http.ServeMux, r *http.Request) string {
	asked := http.Request{Method: http.MethodGet, Host: r.Host, URL: &url.URL{Path: path.Dir(r.URL.Path)}}
	for ; asked.URL.Path != "/"; asked.URL.Path = path.Dir(asked.URL.Path) {
		if _, pattern := mux.Handler(&asked); pattern != "" {
			break
		}
	}
	return asked.URL.String()
}

// statusOnly keeps the status and the headers of an answer, and drops its body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

func (s *Server) ready(store func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		if err := store(r.Context()); err != nil {
			s.log.Error("the store does not answer", "cause", err)
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	}
}

// Time limits of a connection, and of the requests in flight at shutdown.
const (
	headerTime   = 10 * time.Second
	requestTime  = 30 * time.Second
	idleTime     = 2 * time.Minute
	lingerTime   = 300 * time.Millisecond
	shutdownTime = 15 * time.Second
	maxHeader    = 64 << 10
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !r.ProtoAtLeast(1, 1) || len(r.TransferEncoding) > 0 || s.leaving.Load() {
		// RFC 9112 §6.1: something in between may frame it otherwise. net/http passes over the
		// Transfer-Encoding of HTTP/1.0, and does not tell of a Content-Length beside one.
		w.Header().Set("Connection", "close")
	}
	s.handler.ServeHTTP(w, r)
}

// Limited serves a handler within the limits of a connection, and logs what goes wrong on one.
func Limited(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Serve answers on the listener until ctx ends, then lets the requests in flight
// finish.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	h := Limited(s, s.log)
	conns := &connections{unused: map[net.Conn]bool{}}
	h.ConnState = conns.observe
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(backlog{listener}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.log.Info("shutting down", "cause", context.Cause(ctx))
	s.leaving.Store(true)
	backlog{listener}.end()
	<-failed
	conns.leave(s.linger)
	// The context that ended is why we shut down; requests get time of their own.
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := h.Shutdown(limit)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests were cut off at shutdown")
		err = h.Close()
	}
	return err
}

// connections are those that are open. On the unused ones nothing was asked yet: browsers
// open them ahead of time, and a shutdown would wait five seconds for them.
type connections struct {
	open   sync.WaitGroup
	mu     sync.Mutex
	unused map[net.Conn]bool
}

func (c *connections) observe(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		// It was active before.
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == http.StateNew {
		c.open.Add(1)
		c.unused[conn] = true
		return
	}
	delete(c.unused, conn)
	if state == http.StateClosed {
		c.open.Done()
	}
}

// leave waits until all have ended, which they do with an answer: a request that meets a
// connection which the server closes is lost. After that it closes the unused ones.
func (c *connections) leave(within time.Duration) {
	ended := make(chan struct{})
	go func() {
		c.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(within):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.unused {
		_ = conn.Close()
	}
}
