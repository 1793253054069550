package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func FuzzParseParameters(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=1&a=2", "a=%zz", "a", "=", "&&", "a=b;c", "%61=1&a=2", "a=+%20", "a=&a=1", "a&a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		p, err := oauth.ParseParameters(encoded)
		if err != nil {
			return
		}
		again, err := oauth.ParseParameters(p.Encode())
		if err != nil || again.Encode() != p.Encode() {
			t.Errorf("%q is not stable: %q, %v", encoded, p.Encode(), err)
		}
		if was, is := p.RefuseRepeated(), again.RefuseRepeated(); (was == nil) != (is == nil) || was != nil && was.Description != is.Description {
			t.Errorf("%q is refused with %v, and encoded as %q with %v", encoded, was, p.Encode(), is)
		}
		if values, err := url.ParseQuery(encoded); err == nil {
			for name, all := range values {
				if len(all) == 1 && p.Get(name) != all[0] || len(all) > 1 && (p.Get(name) != "" || !p.Repeated(name)) {
					t.Errorf("%q: %s is %q; the standard library reads %q", encoded, name, p.Get(name), all)
				}
			}
		}
	})
}

func FuzzParseJSONParameters(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":"b"}`, `{"a":"b","a":"c"}`, `{"a":1}`, `{"a":{}}`, `[]`, `{"a":"b"} x`, `{"a":null}`, "{\"a\":\"\xff\"}", `{"a":"b"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := oauth.ParseJSONParameters(body)
		if err == nil && !strings.HasPrefix(strings.TrimLeft(string(body), " \t\r\n"), "{") {
			t.Errorf("%q was read as an object: %v", body, p)
		}
	})
}

func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"Basic YTpi", "basic YSUyRGI6Yw==", "Basic ", "Bearer x", "Basic YTpi\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if id, _, ok := oauth.ParseBasic(header); ok && (id == "" || !strings.EqualFold(header[:5], "basic")) {
			t.Errorf("%q was read with the id %q", header, id)
		}
	})
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"", "a b", "a  a", "\"", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scope, refusal := oauth.ParseScope(s)
		if refusal != nil {
			return
		}
		if again, refusal := oauth.ParseScope(string(scope)); refusal != nil || again != scope || !scope.Covers(again) {
			t.Errorf("%q is not stable: %q", s, again)
		}
	})
}

func FuzzRedirectURI(f *testing.F) {
	for _, seed := range []string{"https://a.example/cb", "http://127.0.0.1:1/", "com.example.app:/x", "https://a@b/", "http://[::1]/", "https://a.example/?x=1"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, registered, presented string) {
		if !oauth.CheckRedirectURI(registered, true).IsZero() || !oauth.MatchRedirectURI([]string{registered}, presented) {
			return
		}
		r, err := url.Parse(registered)
		if err != nil {
			t.Fatalf("%q may be registered and is no URL", registered)
		}
		p, err := url.Parse(presented)
		if err != nil || p.Scheme != r.Scheme || p.Hostname() != r.Hostname() || p.Path != r.Path || p.User != nil {
			t.Errorf("%q matches the registered %q", presented, registered)
		}
		answered, err := url.Parse(oauth.AddToRedirectURI(presented, oauth.Parameter{Name: "code", Value: "x"}))
		if err != nil || answered.Host != p.Host || answered.Query().Get("code") != "x" {
			t.Errorf("the answer to %q goes to %v", presented, answered)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, s string) {
		if token, ok := oauth.ParseToken(s, start); ok && token.String() != s {
			t.Errorf("%q is read as %q", s, token.String())
		}
	})
}
