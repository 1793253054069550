package oauth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/latchkey/latchkey/internal/oauth"
)

func FuzzParseParameters(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=1&a=2", "a=%zz", "a", "=", "&&", "a=b;c", "%61=1&a=2", "a=+%20", "a=&a=1", "a&a", "%zz=a"} {
		f.Add(seed)
	}
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("&p%d=%d", i, i)
	}
	for _, seed := range []string{many, many + "&p0=x", many + "&p39=x&p20=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		p, err := oauth.ParseParameters(encoded)
		// The standard library refuses semicolons, which are characters like others here.
		values, wrong := url.ParseQuery(strings.ReplaceAll(encoded, ";", "%3B"))
		if (err == nil) != (wrong == nil) {
			t.Errorf("%q: %v; the standard library says %v", encoded, err, wrong)
		}
		if err != nil {
			return
		}
		again, err := oauth.ParseParameters(p.Encode())
		if err != nil || again.Encode() != p.Encode() {
			t.Errorf("%q is not stable: %q, %v", encoded, p.Encode(), err)
		}
		if read, err := url.ParseQuery(p.Encode()); err != nil || !maps.EqualFunc(read, values, slices.Equal) {
			t.Errorf("%q is encoded as %q, %v", encoded, p.Encode(), err)
		}
		was, is := p.RefuseRepeated(), again.RefuseRepeated()
		if (was == nil) != (is == nil) || was != nil && was.Description != is.Description {
			t.Errorf("%q is refused with %v, and encoded as %q with %v", encoded, was, p.Encode(), is)
		}
		repeated := false
		for name, all := range values {
			one := len(all) == 1
			repeated = repeated || !one
			if one && p.Get(name) != all[0] || !one && p.Get(name) != "" || p.Repeated(name) == one {
				t.Errorf("%q: %s is %q; the standard library reads %q", encoded, name, p.Get(name), all)
			}
		}
		if repeated != (was != nil) {
			t.Errorf("%q is refused with %v", encoded, was)
		}
		const absent = "absent"
		if !values.Has(absent) && (p.Get(absent) != "" || p.Repeated(absent)) {
			t.Errorf("%q has what it has not: %q", encoded, p.Get(absent))
		}
	})
}

func FuzzParseJSONParameters(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":"b"}`, `{"a":"b","a":"c"}`, `{"a":1}`, `{"a":{}}`, `[]`, `{"a":"b"} x`, `{"a":null}`, "{\"a\":\"\xff\"}", `{"a":"b"`,
		" {\t\"a\" : \"b\" ,\r\n\"c\":\"\" } ", `{"a":"b",}`, `{"a":"b" "c":"d"}`, `{"a" "b"}`, `{"a","b"}`, `{a":"b"}`, `{"a":b}`, `{"a":"b"}}`, `{"a":"b"}{}`,
		`{"a\n":"\u0062\""}`, `{"ä":"ö"}`, "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f ~\"}", `{"a":"\u0062"}`, `{"a":}`, `"a"`, `null`, ``, `{`, `{"`, `{"a"`, `{"a":`, `{"a":"`, "\v{}", `{"a":"b","c":true,"c":"d"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := oauth.ParseJSONParameters(body)
		var object map[string]any
		wrong := json.Unmarshal(body, &object)
		texts := map[string]string{}
		for name, value := range object {
			if text, ok := value.(string); ok {
				texts[name] = text
			}
		}
		read := wrong == nil && object != nil && len(texts) == len(object) && utf8.Valid(body)
		switch {
		case err == nil && !read, err != nil && read && bytes.Count(body, []byte(":")) == len(object): // What is overwritten need not be a string.
			t.Fatalf("%q: %v; the standard library says %v and reads %v", body, err, wrong, object)
		case err != nil:
			return
		}
		for name, text := range texts {
			if p.Get(name) != text && !p.Repeated(name) {
				t.Errorf("%q: %q is %q; the standard library reads %q", body, name, p.Get(name), text)
			}
		}
		all, err := url.ParseQuery(p.Encode())
		if err != nil || len(all) != len(texts) {
			t.Errorf("%q is encoded as %q, %v", body, p.Encode(), err)
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
