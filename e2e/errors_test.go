package e2e_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// bodyLimit is what a request body may measure; one byte more is refused.
const bodyLimit = 64 << 10

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	app := s.register(t, registration{})
	for _, target := range targets(s, app) {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			for _, bad := range malformed(app) {
				t.Run(bad.name, func(t *testing.T) {
					t.Parallel()
					v, unchanged := target.prepare(t)
					a := s.do(t, bad.write(target, v))
					a.checkRefusedWith(t, bad.status, bad.code)
					unchanged(t)
				})
			}
			t.Run("a body of exactly 64 KiB is read", func(t *testing.T) {
				t.Parallel()
				v, _ := target.prepare(t)
				m := post(target.path, formType, pad(app.identify(v).Encode(), bodyLimit))
				m.header["Content-Encoding"] = []string{"identity", ""} // which say nothing
				s.do(t, m).checkStatus(t, http.StatusOK)
			})
		})
	}
	t.Run("token", func(t *testing.T) { t.Parallel(); testRefusedTokens(t, s) })
	t.Run("other methods", func(t *testing.T) { t.Parallel(); testMethods(t, s) })
	t.Run("other paths", func(t *testing.T) { t.Parallel(); testUncleanPaths(t, s) })
	t.Run("cross-origin", func(t *testing.T) { t.Parallel(); testCORS(t, s, app) })
}

// target is a request that succeeds as it stands, made afresh for each attempt to spoil it.
type target struct {
	name, path, key string
	// prepare returns the good values and a check that they have lost nothing.
	prepare func(t *testing.T) (url.Values, func(t *testing.T))
}

func targets(s *server, app application) []target {
	return []target{
		{"redeeming a code", tokenPath, "code", func(t *testing.T) (url.Values, func(*testing.T)) {
			v := app.redemption(s.code(t, app))
			return v, func(t *testing.T) { t.Helper(); s.form(t, tokenPath, app, v).checkStatus(t, http.StatusOK) }
		}},
		{"refreshing", tokenPath, "refresh_token", func(t *testing.T) (url.Values, func(*testing.T)) {
			v := refreshment(s.grant(t, app, "scope", "profile events").Refresh)
			// Had the attempt rotated, this one would be a replay with another scope, which is refused.
			return v, func(t *testing.T) {
				t.Helper()
				s.refresh(t, app, v.Get("refresh_token"), "scope", "profile").checkStatus(t, http.StatusOK)
			}
		}},
		{"revoking", revokePath, "token", func(t *testing.T) (url.Values, func(*testing.T)) {
			got := s.grant(t, app)
			return url.Values{"token": {got.Refresh}}, func(t *testing.T) { t.Helper(); s.checkAlive(t, got.Access) }
		}},
		{"introspecting", introspectPath, "token", func(t *testing.T) (url.Values, func(*testing.T)) {
			got := s.grant(t, app)
			return url.Values{"token": {got.Access}}, func(t *testing.T) { t.Helper(); s.checkAlive(t, got.Access) }
		}},
	}
}

// spoiled is a way to spoil any of the targets.
type spoiled struct {
	name   string
	write  func(target target, v url.Values) message
	status int
	code   string
}

func malformed(app application) []spoiled {
	bad, unknown := http.StatusBadRequest, http.StatusUnauthorized
	form := func(change func(target target, body string) string) func(target, url.Values) message {
		return func(target target, v url.Values) message {
			return post(target.path, formType, change(target, app.identify(v).Encode()))
		}
	}
	object := func(change func(target target, body string) string) func(target, url.Values) message {
		return func(target target, v url.Values) message {
			return post(target.path, jsonType, change(target, toJSON(app.identify(v))))
		}
	}
	typed := func(contentType string) func(target, url.Values) message {
		return func(target target, v url.Values) message {
			return post(target.path, contentType, app.identify(v).Encode())
		}
	}
	header := func(authorization string) func(target, url.Values) message {
		return func(target target, v url.Values) message {
			m := post(target.path, formType, v.Encode())
			m.header.Set("Authorization", authorization)
			return m
		}
	}
	client := func(change func(v url.Values)) func(target, url.Values) message {
		return func(target target, v url.Values) message {
			v = app.identify(v)
			change(v)
			return post(target.path, formType, v.Encode())
		}
	}
	encode := base64.StdEncoding.EncodeToString
	return []spoiled{
		{"a parameter sent twice", form(func(g target, b string) string { return b + "&" + g.key + "=x" }), bad, "invalid_request"},
		{"client_id sent twice with one value", form(func(_ target, b string) string { return b + "&client_id=" + app.ClientID }), bad, "invalid_request"},
		{"a JSON key sent twice", object(func(g target, b string) string { return `{"` + g.key + `":"x",` + b[1:] }), bad, "invalid_request"},
		{"a JSON key sent twice, once in escapes", object(func(g target, b string) string {
			return `{"` + g.key[:len(g.key)-1] + `\u00` + hex(g.key[len(g.key)-1]) + `":"x",` + b[1:]
		}), bad, "invalid_request"},
		{"a JSON number", object(func(_ target, b string) string { return `{"n":1,` + b[1:] }), bad, "invalid_request"},
		{"a JSON null", object(func(_ target, b string) string { return `{"n":null,` + b[1:] }), bad, "invalid_request"},
		{"a JSON boolean", object(func(_ target, b string) string { return `{"n":true,` + b[1:] }), bad, "invalid_request"},
		{"a JSON array as a value", object(func(_ target, b string) string { return `{"n":["x"],` + b[1:] }), bad, "invalid_request"},
		{"a JSON object as a value", object(func(_ target, b string) string { return `{"n":{"x":"y"},` + b[1:] }), bad, "invalid_request"},
		{"a second JSON object behind the first", object(func(_ target, b string) string { return b + b }), bad, "invalid_request"},
		{"a bracket behind the JSON object", object(func(_ target, b string) string { return b + "}" }), bad, "invalid_request"},
		{"a JSON array around the object", object(func(_ target, b string) string { return "[" + b + "]" }), bad, "invalid_request"},
		{"JSON cut short", object(func(_ target, b string) string { return b[:len(b)-1] }), bad, "invalid_request"},
		{"JSON null as the body", object(func(target, string) string { return "null" }), bad, "invalid_request"},
		{"no body where JSON was announced", object(func(target, string) string { return "" }), bad, "invalid_request"},
		{"a form announced as JSON", typed(jsonType), bad, "invalid_request"},
		{"a form announced as plain text", typed("text/plain"), bad, "invalid_request"},
		{"a form announced as one of two types", typed(formType + ", " + jsonType), bad, "invalid_request"},
		{"a form announced as multipart", typed("multipart/form-data; boundary=x"), bad, "invalid_request"},
		{"a body without a content type", typed(""), bad, "invalid_request"},
		{"a body that says it is gzip", func(g target, v url.Values) message {
			m := post(g.path, formType, app.identify(v).Encode())
			m.header.Set("Content-Encoding", "gzip")
			return m
		}, bad, "invalid_request"},
		{"two Content-Type headers", func(g target, v url.Values) message {
			m := post(g.path, formType, app.identify(v).Encode())
			m.header.Add("Content-Type", formType)
			return m
		}, bad, "invalid_request"},
		{"two Authorization headers", func(g target, v url.Values) message {
			m := post(g.path, formType, v.Encode()).basic(app.ClientID, app.ClientSecret)
			m.header.Add("Authorization", m.header.Get("Authorization"))
			return m
		}, bad, "invalid_request"},
		{"bad percent encoding", form(func(_ target, b string) string { return b + "&x=%zz" }), bad, "invalid_request"},
		{"a form over 64 KiB", form(func(_ target, b string) string { return pad(b, bodyLimit+1) }), http.StatusRequestEntityTooLarge, "invalid_request"},
		{"JSON over 64 KiB", object(func(_ target, b string) string {
			return strings.Repeat(" ", bodyLimit+1-len(b)) + b
		}), http.StatusRequestEntityTooLarge, "invalid_request"},
		{"a form over 64 KiB of unannounced length", func(g target, v url.Values) message {
			m := post(g.path, formType, pad(app.identify(v).Encode(), bodyLimit+1))
			m.chunked = true
			return m
		}, http.StatusRequestEntityTooLarge, "invalid_request"},
		{"the key in capitals in JSON", object(func(g target, b string) string {
			return strings.Replace(b, `"`+g.key+`":`, `"`+strings.ToUpper(g.key)+`":`, 1)
		}), bad, "invalid_request"},
		{"the parameter that matters is missing", form(func(g target, b string) string { return strings.Replace(b, g.key+"=", "x=", 1) }), bad, "invalid_request"},
		{"the parameter that matters is empty", client(func(v url.Values) { emptyAll(v, "code", "refresh_token", "token") }), bad, "invalid_request"},
		{"the parameter that matters is in the query only", func(g target, v url.Values) message {
			q := url.Values{g.key: v[g.key]}
			m := app.identify(v)
			m.Del(g.key)
			return post(g.path+"?"+q.Encode(), formType, m.Encode())
		}, bad, "invalid_request"},
		{"credentials in the query only", func(g target, v url.Values) message {
			return post(g.path+"?"+app.identify(nil).Encode(), formType, v.Encode())
		}, unknown, "invalid_client"},
		{"no credentials", form(func(_ target, b string) string { return strings.ReplaceAll(b, "client_", "x_") }), unknown, "invalid_client"},
		{"no secret", client(func(v url.Values) { v.Del("client_secret") }), unknown, "invalid_client"},
		{"an empty secret", client(func(v url.Values) { v.Set("client_secret", "") }), unknown, "invalid_client"},
		{"a wrong secret", client(func(v url.Values) { v.Set("client_secret", strings.Repeat("0", 64)) }), unknown, "invalid_client"},
		{"a secret with a character too many", client(func(v url.Values) { v.Set("client_secret", v.Get("client_secret")+"0") }), unknown, "invalid_client"},
		{"an unknown client", client(func(v url.Values) { v.Set("client_id", strings.Repeat("A", 43)) }), unknown, "invalid_client"},
		{"a client_id of which the first half is right", client(func(v url.Values) { v.Set("client_id", app.ClientID[:22]+strings.Repeat("A", 21)) }), unknown, "invalid_client"},
		{"a client_id of another form", client(func(v url.Values) { v.Set("client_id", "☃\"\\\x00") }), unknown, "invalid_client"},
		{"Basic with a wrong secret", header("Basic " + encode([]byte(app.ClientID+":nope"))), unknown, "invalid_client"},
		{"Basic with a wrong secret beside the client_id in the body", func(g target, v url.Values) message {
			return post(g.path, formType, with(v, "client_id", app.ClientID).Encode()).basic(app.ClientID, "nope")
		}, unknown, "invalid_client"},
		{"Basic with an unknown client", header("Basic " + encode([]byte("nobody:"+app.ClientSecret))), unknown, "invalid_client"},
		{"Basic with an empty secret", header("Basic " + encode([]byte(app.ClientID+":"))), unknown, "invalid_client"},
		{"Basic without a colon", header("Basic " + encode([]byte(app.ClientID))), unknown, "invalid_client"},
		{"Basic that is not base64", header("Basic %%%"), unknown, "invalid_client"},
		{"Basic with nothing", header("Basic "), unknown, "invalid_client"},
		{"Basic with bad percent encoding", header("Basic " + encode([]byte("%zz:"+app.ClientSecret))), unknown, "invalid_client"},
	}
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// pad adds an unknown parameter to reach a length.
func pad(body string, length int) string {
	body += "&pad="
	return body + strings.Repeat("x", length-len(body))
}

// emptyAll empties the values that are there.
func emptyAll(v url.Values, names ...string) {
	for _, name := range names {
		if v.Has(name) {
			v.Set(name, "")
		}
	}
}

func testRefusedTokens(t *testing.T, s *server) {
	// An account keeps fifty authorizations of one application, and what spoils the targets
	// makes more.
	app := s.register(t, registration{})
	other, public := s.register(t, registration{}), s.register(t, registration{public: true})
	admin := s.register(t, registration{scopes: []string{"profile", "community"}})
	theirs, ours := s.grant(t, other, "scope", "profile events"), s.grant(t, app)
	cc := func(app application, pairs ...string) url.Values {
		return app.identify(with(url.Values{"grant_type": {"client_credentials"}}, pairs...))
	}
	rows := []struct {
		name string
		v    url.Values
		code string
	}{
		{"no grant_type", app.identify(nil), "invalid_request"},
		{"an empty grant_type", app.identify(url.Values{"grant_type": {""}}), "invalid_request"},
		{"a grant_type that is not offered", cc(app, "grant_type", "password"), "unsupported_grant_type"},
		{"a grant_type of hostile characters", cc(app, "grant_type", "\"<\\☃\r\n\x00>"), "unsupported_grant_type"},
		{"a grant_type in capitals", cc(app, "grant_type", "Client_Credentials"), "unsupported_grant_type"},
		{"a code of another form", app.identify(app.redemption("☃\"\\")), "invalid_grant"},
		{"a code of the right length", app.identify(app.redemption(strings.Repeat("A", 43))), "invalid_grant"},
		{"an access token as the code", app.identify(app.redemption(ours.Access)), "invalid_grant"},
		{"a refresh token as the code", app.identify(app.redemption(ours.Refresh)), "invalid_grant"},
		{"a refresh token of another form", app.identify(refreshment("x")), "invalid_grant"},
		{"an access token as the refresh token", app.identify(refreshment(ours.Access)), "invalid_grant"},
		{"another application's refresh token", app.identify(refreshment(theirs.Refresh)), "invalid_grant"},
		{"an unknown scope", cc(app, "scope", "nonsense"), "invalid_scope"},
		{"a known and an unknown scope", cc(app, "scope", "profile nonsense"), "invalid_scope"},
		{"a scope of hostile characters", cc(app, "scope", "\"\\☃"), "invalid_scope"},
		{"a scope in capitals", cc(app, "scope", "Profile"), "invalid_scope"},
		{"a scope that needs an administrator", cc(app, "scope", "community"), "invalid_scope"},
		{"a scope that only a person can give", cc(admin, "scope", "community"), "invalid_scope"},
		{"client credentials of a public application", cc(public), "unauthorized_client"},
		{"a public application with a secret", cc(public, "client_secret", "secret"), "invalid_client"},
		{"a public application with another's secret", cc(public, "client_secret", app.ClientSecret), "invalid_client"},
	}
	for _, row := range rows {
		t.Run(row.name+" is "+row.code, func(t *testing.T) {
			t.Parallel()
			s.do(t, post(tokenPath, formType, row.v.Encode())).checkRefused(t, row.code)
			if row.v.Get("grant_type") != "" {
				s.do(t, post(tokenPath, jsonType, toJSON(row.v))).checkRefused(t, row.code)
			}
		})
	}
	// Parallel rows end after this function's body, so the proof that they broke nothing waits for them.
	t.Cleanup(func() {
		s.checkAlive(t, ours.Access)
		s.refresh(t, other, theirs.Refresh, "scope", "profile").checkStatus(t, http.StatusOK)
	})
	t.Run("Basic credentials alone lack a grant_type", func(t *testing.T) {
		t.Parallel()
		s.do(t, post(tokenPath, formType, "").basic(app.ClientID, app.ClientSecret)).checkRefused(t, "invalid_request")
		s.do(t, post(tokenPath, jsonType, "{}").basic(app.ClientID, app.ClientSecret)).checkRefused(t, "invalid_request")
	})
	t.Run("JSON keys that differ in case are unknown and ignored", func(t *testing.T) {
		t.Parallel()
		body := toJSON(app.identify(app.redemption(s.code(t, app))))
		s.do(t, post(tokenPath, jsonType, `{"Code":"x","GRANT_TYPE":"y",`+body[1:])).tokens(t)
	})
	t.Run("an empty scope counts as none", func(t *testing.T) {
		t.Parallel()
		got := s.do(t, post(tokenPath, formType, cc(app).Encode()+"&scope=")).tokens(t)
		checkScope(t, got, "profile")
	})
	t.Run("a refused secret leaves a public application's code alive", func(t *testing.T) {
		t.Parallel()
		verifier := strings.Repeat("v", 43)
		code := s.code(t, public, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
		s.redeem(t, public, code, "code_verifier", verifier, "client_secret", "x").checkRefused(t, "invalid_client")
		s.redeem(t, public, code, "code_verifier", verifier).tokens(t)
	})
}

func testMethods(t *testing.T, s *server) {
	// A gateway that asks check with its caller's method must not take the answer to a preflight for a yes.
	for path, allow := range map[string]string{
		tokenPath: "POST, OPTIONS", revokePath: "POST, OPTIONS", introspectPath: "POST",
		checkPath: "GET, HEAD", mePath: "GET, OPTIONS, HEAD", discoveryPath: "GET, OPTIONS, HEAD",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			if slices.Contains(strings.Split(allow, ", "), method) {
				continue
			}
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				a := s.do(t, message{method: method, path: path, header: http.Header{}})
				a.checkStatus(t, http.StatusMethodNotAllowed)
				if got := a.header.Get("Allow"); got != allow {
					t.Errorf("Allow is %q, want %q", got, allow)
				}
			})
		}
	}
	t.Run("HEAD is answered as GET", func(t *testing.T) {
		t.Parallel()
		for path, status := range map[string]int{discoveryPath: 200, mePath: 401, checkPath: 400, checkPath + "?scope=profile": 401} {
			s.do(t, message{method: http.MethodHead, path: path, header: http.Header{}}).checkStatus(t, status)
		}
	})
}

// testUncleanPaths: a redirect of a form would have it sent again.
func testUncleanPaths(t *testing.T, s *server) {
	for _, path := range []string{"/" + tokenPath, "/irk//oauth/token", "/x/.." + tokenPath, tokenPath + "/.", "//sign-in", "//auth/authorize", "/auth/./authorize", tokenPath + "//"} {
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				a := s.do(t, message{method: method, path: path, header: http.Header{"Content-Type": {formType}}, body: "email=a&password=b"})
				a.checkStatus(t, http.StatusNotFound)
				if a.header.Get("Content-Security-Policy") == "" || a.header.Get("Location") != "" {
					t.Errorf("the headers are %v", a.header)
				}
			})
		}
	}
}
