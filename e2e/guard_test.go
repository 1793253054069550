package e2e_test

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestGuards(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("me", func(t *testing.T) { t.Parallel(); testUse(t, s) })
	t.Run("introspection", func(t *testing.T) { t.Parallel(); testIntrospection(t, s) })
	t.Run("check", func(t *testing.T) { t.Parallel(); testCheck(t, s) })
	t.Run("discovery", func(t *testing.T) { t.Parallel(); testDiscovery(t, s) })
}

func testUse(t *testing.T, s *server) {
	app := s.register(t, registration{})
	got, code := s.grant(t, app), s.code(t, app)
	dead := map[string]string{
		"an unknown token":             strings.Repeat("A", 43),
		"a token of another form":      "x",
		"a refresh token":              got.Refresh,
		"a code":                       code,
		"a made-up secret":             forge(t, got.Access),
		"a token with stray bits":      stray(t, got.Access),
		"a token and something behind": got.Access + "x",
		"a padded token":               got.Access + "=",
	}
	for name, token := range dead {
		t.Run("me refuses "+name, func(t *testing.T) {
			t.Parallel()
			a := s.me(t, token)
			a.checkStatus(t, http.StatusUnauthorized)
			a.checkChallenge(t, deadToken)
		})
	}
	t.Run("me asks for a token where none is", func(t *testing.T) {
		t.Parallel()
		basic := get(mePath, "").basic(app.ClientID, app.ClientSecret)
		for _, m := range []message{get(mePath, ""), get(mePath+"?access_token="+got.Access, ""), basic} {
			a := s.do(t, m)
			a.checkStatus(t, http.StatusUnauthorized)
			a.checkChallenge(t, "")
		}
	})
	t.Run("me is forbidden without the scope profile", func(t *testing.T) {
		t.Parallel()
		a := s.me(t, s.grant(t, app, "scope", "events").Access)
		a.checkStatus(t, http.StatusForbidden)
		a.checkChallenge(t, narrowToken+`, scope="profile"`)
		if bytes.Contains(a.body, []byte(s.ada.email)) {
			t.Error("the refusal tells what it refuses")
		}
	})
	t.Run("me and check refuse two Authorization headers", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{mePath, checkPath + "?scope=profile"} {
			m := get(path, got.Access)
			m.header.Add("Authorization", "Bearer "+got.Access)
			s.do(t, m).checkRefused(t, "invalid_request")
		}
	})
	t.Run("me reads the scheme in any case", func(t *testing.T) {
		t.Parallel()
		m := get(mePath, "")
		m.header.Set("Authorization", "bearer "+got.Access)
		s.do(t, m).checkStatus(t, http.StatusOK)
	})
}

// What a challenge says of a token, as patterns.
const (
	deadToken   = `, error="invalid_token", error_description="[ !#-\[\]-~]{10,}"`
	narrowToken = `, error="insufficient_scope", error_description="[ !#-\[\]-~]{10,}"`
)

// checkChallenge demands the header of RFC 6750, section 3, with these attributes behind the realm.
func (a answer) checkChallenge(t *testing.T, attributes string) {
	t.Helper()
	want := regexp.MustCompile(`^Bearer realm="latchkey"` + attributes + `$`)
	if got := a.header.Values("WWW-Authenticate"); len(got) != 1 || !want.MatchString(got[0]) {
		t.Errorf("WWW-Authenticate is %q, want %s", got, want)
	}
}

// stray sets the bits of the last character that carry nothing, which strict reading refuses.
func stray(t *testing.T, token string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	changed := token[:len(token)-1] + string(alphabet[last|3])
	if changed == token {
		t.Fatal("the token has stray bits already")
	}
	return changed
}

// id asks the API who the owner of the token is.
func (s *server) id(t *testing.T, token string) string {
	t.Helper()
	user, _ := s.me(t, token).object(t)["user"].(map[string]any)
	id, _ := user["id"].(string)
	if id == "" {
		t.Fatal("me tells no id")
	}
	return id
}

func testIntrospection(t *testing.T, s *server) {
	app, other := s.register(t, registration{}), s.register(t, registration{})
	api := s.register(t, registration{resourceServer: true})
	public := s.register(t, registration{public: true})
	got := s.grant(t, app, "scope", "profile events")
	refreshed := s.refresh(t, app, s.grant(t, app).Refresh).tokens(t)
	machine := s.clientCredentials(t, app, "").tokens(t)
	bob := s.newAccount(t, "Bob Babbage")
	code := s.browser(bob).authorize(t, app.request()).Query().Get("code")
	bobs := s.redeem(t, app, code).tokens(t)
	active := []struct {
		name, grant string
		token       tokens
		asking      application
		person      account
	}{
		{"an application sees its own token", "authorization_code", got, app, s.ada},
		{"an application sees its own token after a refresh", "authorization_code", refreshed, app, s.ada},
		{"an application sees its own token of client credentials", "client_credentials", machine, app, s.ada},
		{"an application sees whose token it is", "authorization_code", bobs, app, bob},
		{"a resource server sees any token", "authorization_code", got, api, s.ada},
		{"a resource server sees any token of client credentials", "client_credentials", machine, api, s.ada},
		{"a resource server sees a public application's token", "authorization_code", s.grant(t, public), api, s.ada},
	}
	for _, row := range active {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			fields := s.introspect(t, row.asking, row.token.Access)
			want := map[string]any{
				"active": true, "scope": row.token.Scope, "token_type": "Bearer", "grant_type": row.grant,
				"sub": s.id(t, row.token.Access), "iat": float64(row.token.CreatedAt),
				"exp": float64(row.token.CreatedAt + row.token.ExpiresIn),
			}
			for name, value := range want {
				if fields[name] != value {
					t.Errorf("%s is %v, want %v", name, fields[name], value)
				}
			}
			if id, _ := fields["client_id"].(string); id != app.ClientID && id != public.ClientID {
				t.Errorf("client_id is %q", id)
			}
			if name, _ := fields["username"].(string); name == "" {
				t.Error("no username")
			}
			known := []string{"active", "client_id", "exp", "grant_type", "iat", "scope", "sub", "token_type", "username"}
			if keys := slices.Sorted(maps.Keys(fields)); !slices.Equal(keys, known) {
				t.Errorf("the members are %q, want %q", keys, known)
			}
		})
	}

	ended, unused := s.grant(t, app), s.code(t, app)
	s.revoke(t, app, ended.Access).checkStatus(t, http.StatusOK)
	inactive := []struct {
		name, token string
		asking      application
	}{
		{"another application's token is none of its business", got.Access, other},
		{"a refresh token is never active", got.Refresh, app},
		{"a refresh token is never active to a resource server", got.Refresh, api},
		{"a code is never active", unused, app},
		{"a revoked token is not active", ended.Access, app},
		{"a revoked token is not active to a resource server", ended.Access, api},
		{"an unknown token is not active", strings.Repeat("A", 43), app},
		{"a token of another form is not active", "x", app},
		{"a made-up secret is not active", forge(t, got.Access), api},
		{"stray bits are not active", stray(t, got.Access), api},
	}
	for _, row := range inactive {
		for _, hint := range []string{"", "access_token", "refresh_token"} {
			t.Run(row.name+", hinted "+hint, func(t *testing.T) {
				t.Parallel()
				a := s.form(t, introspectPath, row.asking, with(url.Values{"token": {row.token}}, "token_type_hint", hint))
				a.checkStatus(t, http.StatusOK)
				if fields := a.object(t); len(fields) != 1 || fields["active"] != false {
					t.Errorf("the answer is %s, want only that it is not active", a.body)
				}
			})
		}
	}
	t.Run("a public application, which cannot prove who it is, learns nothing", func(t *testing.T) {
		t.Parallel()
		s.form(t, introspectPath, public, url.Values{"token": {s.grant(t, public).Access}}).checkRefused(t, "unauthorized_client")
	})
	for _, st := range styles() {
		t.Run("it reads a request "+st.name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, st.write(api, introspectPath, url.Values{"token": {got.Access}}))
			a.checkStatus(t, http.StatusOK)
			if a.object(t)["active"] != true {
				t.Errorf("the answer is %s", a.body)
			}
		})
	}
}

func testCheck(t *testing.T, s *server) {
	app := s.register(t, registration{})
	both, narrow := s.grant(t, app, "scope", "profile events"), s.grant(t, app, "scope", "events")
	machine, ended := s.clientCredentials(t, app, "").tokens(t), s.grant(t, app)
	s.revoke(t, app, ended.Access).checkStatus(t, http.StatusOK)
	id := s.id(t, both.Access)
	passes := []struct {
		name, query, grant string
		token              tokens
	}{
		{"one scope that the token has", "scope=profile", "authorization_code", both},
		{"all scopes that the token has", "scope=events%20profile", "authorization_code", both},
		{"scopes separated by plus", "scope=events+profile", "authorization_code", both},
		{"the only scope of a narrow token", "scope=events", "authorization_code", narrow},
		{"a token of client credentials, told apart", "scope=profile", "client_credentials", machine},
	}
	for _, row := range passes {
		t.Run("passes "+row.name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, get(checkPath+"?"+row.query, row.token.Access))
			a.checkStatus(t, http.StatusOK)
			want := map[string]string{"X-Account-Id": id, "X-Client-Id": app.ClientID, "X-Grant-Type": row.grant, "X-Scope": row.token.Scope}
			for name, value := range want {
				if got := a.header.Values(name); !slices.Equal(got, []string{value}) {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
		})
	}
	refuses := []struct {
		name, query, token string
		status             int
		challenge          string
	}{
		{"a token without the scope", "scope=profile", narrow.Access, http.StatusForbidden, narrowToken + `, scope="profile"`},
		{"a token with only one of the scopes", "scope=events+profile", narrow.Access, http.StatusForbidden, narrowToken + `, scope="events profile"`},
		{"a known scope that the token lacks", "scope=community", both.Access, http.StatusForbidden, narrowToken + `, scope="community"`},
		{"a revoked token", "scope=profile", ended.Access, http.StatusUnauthorized, deadToken},
		{"a refresh token", "scope=profile", both.Refresh, http.StatusUnauthorized, deadToken},
		{"an unknown token", "scope=profile", strings.Repeat("A", 43), http.StatusUnauthorized, deadToken},
		{"no token", "scope=profile", "", http.StatusUnauthorized, ""},
		{"no scope", "", both.Access, http.StatusBadRequest, ""},
		{"a scope without its name", "profile", both.Access, http.StatusBadRequest, ""},
		{"an empty scope", "scope=", both.Access, http.StatusBadRequest, ""},
		{"a scope of spaces", "scope=%20", both.Access, http.StatusBadRequest, ""},
		{"an unknown scope", "scope=nonsense", both.Access, http.StatusBadRequest, ""},
		{"a known and an unknown scope", "scope=profile+nonsense", both.Access, http.StatusBadRequest, ""},
		{"scope sent twice", "scope=profile&scope=events", both.Access, http.StatusBadRequest, ""},
		{"a scope in capitals", "scope=PROFILE", both.Access, http.StatusBadRequest, ""},
		{"a query that cannot be parsed", "scope=profile&x=%zz", both.Access, http.StatusBadRequest, ""},
		{"a token in the query", "scope=profile&access_token=" + both.Access, "", http.StatusUnauthorized, ""},
	}
	for _, row := range refuses {
		t.Run("refuses "+row.name, func(t *testing.T) {
			t.Parallel()
			a := s.do(t, get(checkPath+"?"+row.query, row.token))
			a.checkStatus(t, row.status)
			if row.status != http.StatusBadRequest {
				a.checkChallenge(t, row.challenge)
			} else if got := a.header.Values("WWW-Authenticate"); got != nil {
				t.Errorf("WWW-Authenticate is %q, want none", got)
			}
			if a.header.Get("X-Account-Id") != "" || a.header.Get("X-Scope") != "" {
				t.Error("the refusal tells whose token it is")
			}
		})
	}
}

func testDiscovery(t *testing.T, s *server) {
	a := s.do(t, get(discoveryPath, ""))
	a.checkStatus(t, http.StatusOK)
	if got := a.header.Get("Cache-Control"); got != "public, max-age=300" || a.header.Get("Pragma") != "" {
		t.Errorf("Cache-Control is %q, Pragma %q", got, a.header.Get("Pragma"))
	}
	fields := a.object(t)
	want := map[string]any{
		"issuer":                                         s.url,
		"authorization_endpoint":                         s.url + "/auth/authorize",
		"token_endpoint":                                 s.url + tokenPath,
		"revocation_endpoint":                            s.url + revokePath,
		"introspection_endpoint":                         s.url + introspectPath,
		"latchkey_check_endpoint":                        s.url + checkPath,
		"latchkey_me_endpoint":                           s.url + mePath,
		"service_documentation":                          s.url + "/docs",
		"authorization_response_iss_parameter_supported": true,
	}
	for name, value := range want {
		if fields[name] != value {
			t.Errorf("%s is %v, want %v", name, fields[name], value)
		}
	}
	lists := map[string][]string{
		"response_types_supported":                      {"code"},
		"response_modes_supported":                      {"query"},
		"prompt_values_supported":                       {"consent", "login", "none"},
		"revocation_endpoint_auth_methods_supported":    {"client_secret_basic", "client_secret_post", "none"},
		"introspection_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post"},
		"grant_types_supported":                         {"authorization_code", "client_credentials", "refresh_token"},
		"code_challenge_methods_supported":              {"S256"},
		"token_endpoint_auth_methods_supported":         {"client_secret_basic", "client_secret_post", "none"},
		"scopes_supported":                              {"community", "events", "profile"},
	}
	for name, want := range lists {
		var got []string
		list, _ := fields[name].([]any)
		for _, v := range list {
			member, _ := v.(string)
			got = append(got, member)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(fields) != len(want)+len(lists) {
		t.Errorf("the members are %q", slices.Sorted(maps.Keys(fields)))
	}
}
