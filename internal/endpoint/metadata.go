package endpoint

import "net/http"

// Metadata tells clients where everything is and what is offered (RFC 8414).
func (e *Endpoints) Metadata() http.Handler {
	secret := []string{"client_secret_basic", "client_secret_post"}
	body := metadata{
		Issuer:                   e.issuer,
		AuthorizationEndpoint:    e.issuer + e.paths.Authorize,
		TokenEndpoint:            e.issuer + e.paths.Token,
		RevocationEndpoint:       e.issuer + e.paths.Revoke,
		IntrospectionEndpoint:    e.issuer + e.paths.Introspect,
		ResponseTypes:            []string{"code"},
		ResponseModes:            []string{"query"},
		GrantTypes:               []string{"authorization_code", "refresh_token", "client_credentials"},
		TokenAuthMethods:         append(secret[:2:2], "none"),
		RevocationAuthMethods:    append(secret[:2:2], "none"),
		IntrospectionAuthMethods: secret,
		CodeChallengeMethods:     []string{"S256"},
		IssParameter:             true,
		PromptValues:             []string{"none", "login", "consent"},
		CheckEndpoint:            e.issuer + e.paths.Check,
		MeEndpoint:               e.issuer + e.paths.Me,
		ServiceDocumentation:     e.issuer + "/docs",
	}
	// The scopes of a new platform are known only when it has been set up.
	return e.serve(rules{method: http.MethodGet, open: true}, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Del("Pragma")
		answer := body
		answer.Scopes = e.grants.Catalogue().All().Tokens()
		writeJSON(w, http.StatusOK, answer)
		return nil
	})
}

// metadata has the names of RFC 8414 §2, RFC 9207 §3 and, for prompt values, Initiating User
// Registration via OpenID Connect 1.0; what only Latchkey has begins with latchkey_.
type metadata struct {
	Issuer                   string   `json:"issuer"`
	AuthorizationEndpoint    string   `json:"authorization_endpoint"`
	TokenEndpoint            string   `json:"token_endpoint"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	Scopes                   []string `json:"scopes_supported"`
	ResponseTypes            []string `json:"response_types_supported"`
	ResponseModes            []string `json:"response_modes_supported"`
	GrantTypes               []string `json:"grant_types_supported"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	CodeChallengeMethods     []string `json:"code_challenge_methods_supported"`
	IssParameter             bool     `json:"authorization_response_iss_parameter_supported"`
	PromptValues             []string `json:"prompt_values_supported"`
	CheckEndpoint            string   `json:"latchkey_check_endpoint"`
	MeEndpoint               string   `json:"latchkey_me_endpoint"`
	ServiceDocumentation     string   `json:"service_documentation"`
}
