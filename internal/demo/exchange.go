package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// exchange is one HTTP request and its answer as the page shows them: without secrets.
type exchange struct {
	Method, URL string
	Request     string // headers and body
	Status      string
	Failed      bool
	Challenge   string // WWW-Authenticate
	Answer      string
}

// whole returns the answer with its status and challenge, as it came over the wire.
func (e exchange) whole() string {
	head := e.Status
	if e.Challenge != "" {
		head += "\nWWW-Authenticate: " + e.Challenge
	}
	return strings.TrimSpace(head + "\n\n" + e.Answer)
}

// shorten leaves enough of a secret to recognise it and too little to use it.
func shorten(secret string) string {
	if len(secret) <= 4 {
		return "…"
	}
	return secret[:4] + "…"
}

func isSecret(name string) bool {
	switch name {
	case "client_secret", "code", "code_verifier", "access_token", "refresh_token", "token", "state":
		return true
	}
	return false
}

// pretty indents JSON and shortens the secrets in it. What is no JSON is not shown, because secrets
// could not be found in it.
func pretty(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return fmt.Sprintf("(%d bytes that are no JSON)", len(body))
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(shortenAll(value)); err != nil {
		return fmt.Sprintf("(%d bytes)", len(body))
	}
	return strings.TrimSpace(out.String())
}

func shortenAll(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if s, ok := member.(string); ok && isSecret(name) {
				value[name] = shorten(s)
			} else {
				value[name] = shortenAll(member)
			}
		}
	case []any:
		for i := range value {
			value[i] = shortenAll(value[i])
		}
	}
	return value
}

// browserStep shows a URL that the browser was sent to, secrets shortened.
func browserStep(endpoint string, query url.Values) exchange {
	shown := make(url.Values, len(query))
	for name, values := range query {
		for _, v := range values {
			if isSecret(name) {
				v = shorten(v)
			}
			shown.Add(name, v)
		}
	}
	return exchange{Method: "GET", URL: endpoint, Request: lines(shown)}
}

// lines writes a query as one readable line for each parameter.
func lines(query url.Values) string {
	// Encode sorts; splitting it and decoding keeps that order.
	pairs := strings.Split(query.Encode(), "&")
	for i, pair := range pairs {
		if decoded, err := url.QueryUnescape(pair); err == nil {
			pairs[i] = decoded
		}
	}
	return strings.Join(pairs, "\n")
}
