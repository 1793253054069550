package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parameters are what a request says. An empty parameter counts as absent (RFC
// 6749 §3.1), so a missing name and "" mean the same.
type Parameters struct {
	pairs []pair
	// index finds pairs by name where there are many.
	index map[string]int
	// refused is the first name that was sent twice, with refuse.
	refused string
	refuse  bool
}

// pair is a parameter as it came. Which value of a name that was sent twice was
// meant cannot be known, so it has none.
type pair struct {
	Parameter
	twice bool
}

// few is how many parameters are found faster one by one than by an index.
const few = 16

// Encode writes all parameters as a query, in the order in which they came. The
// same parameters always give the same string, and what was sent twice stays so, also
// without a value.
func (p Parameters) Encode() string {
	var b strings.Builder
	for i := range p.pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		p.pairs[i].encode(&b)
	}
	return b.String()
}

func (p Parameters) find(name string) (int, bool) {
	if p.index != nil {
		i, ok := p.index[name]
		return i, ok
	}
	for i := range p.pairs {
		if p.pairs[i].Name == name {
			return i, true
		}
	}
	return 0, false
}

// Get is the value of a parameter, or "".
func (p Parameters) Get(name string) string {
	if i, ok := p.find(name); ok && !p.pairs[i].twice {
		return p.pairs[i].Value
	}
	return ""
}

// Repeated reports whether the parameter was sent twice.
func (p Parameters) Repeated(name string) bool {
	i, ok := p.find(name)
	return ok && p.pairs[i].twice
}

// RefuseRepeated is the error of a request in which any parameter was sent twice.
func (p Parameters) RefuseRepeated() *Error {
	if !p.refuse {
		return nil
	}
	return NewError(InvalidRequest, "the parameter %s was sent twice", shown(p.refused))
}

// shown is the name of a parameter in an error, unless it is none that a program would choose:
// people read errors on pages, and whoever made the link chose the name.
func shown(name string) string {
	odd := func(r rune) bool { return r >= utf8.RuneSelf || !unreserved(byte(r)) && r != '[' && r != ']' }
	if len(name) > 40 || strings.ContainsFunc(name, odd) {
		return "..."
	}
	return name
}

func (p *Parameters) add(name, value string) {
	i, known := p.find(name)
	if p.pairs == nil {
		// Most requests have no more.
		p.pairs = make([]pair, 0, 5)
	}
	p.pairs = append(p.pairs, pair{Parameter: Parameter{name, value}})
	switch {
	case known:
		p.pairs[i].twice = true
		if !p.refuse {
			p.refused, p.refuse = name, true
		}
	case p.index != nil:
		p.index[name] = len(p.pairs) - 1
	case len(p.pairs) > few:
		p.index = make(map[string]int, 2*few)
		for i := range slices.Backward(p.pairs) {
			p.index[p.pairs[i].Name] = i
		}
	}
}

// ParseParameters reads application/x-www-form-urlencoded: a query or a form body.
func ParseParameters(encoded string) (Parameters, error) {
	var p Parameters
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return Parameters{}, fmt.Errorf("a parameter's name has a broken percent-encoding")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return Parameters{}, fmt.Errorf("the parameter %s has a broken percent-encoding", shown(name))
		}
		p.add(name, value)
	}
	return p, nil
}

// ParseJSONParameters reads one JSON object whose values are all strings.
func ParseJSONParameters(body []byte) (Parameters, error) {
	if p, ok := parsePlainJSON(string(body)); ok {
		return p, nil
	}
	if !utf8.Valid(body) {
		return Parameters{}, errors.New("the body is not UTF-8")
	}
	notStrings := errors.New("the body must be a JSON object of strings")
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return Parameters{}, notStrings
	}
	var p Parameters
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return Parameters{}, notStrings
		}
		value, err := d.Token()
		if err != nil {
			return Parameters{}, notStrings
		}
		s, isString := value.(string)
		if !isString {
			return Parameters{}, fmt.Errorf("the body must be a JSON object of strings, and %v is not a string", name)
		}
		p.add(name.(string), s)
	}
	if _, err := d.Token(); err != nil {
		return Parameters{}, notStrings
	}
	if _, err := d.Token(); err != io.EOF {
		return Parameters{}, errors.New("the body has something behind its JSON object")
	}
	return p, nil
}

// parsePlainJSON reads an object of strings that needs no decoder: ASCII without
// escapes. Whatever else it meets, right or wrong, it leaves to encoding/json.
func parsePlainJSON(s string) (p Parameters, ok bool) {
	s, ok = cutByte(s, '{')
	for ok {
		var name, value string
		if name, s, ok = cutPlainString(s); !ok {
			break
		}
		if s, ok = cutByte(s, ':'); !ok {
			break
		}
		if value, s, ok = cutPlainString(s); !ok {
			break
		}
		p.add(name, value)
		if rest, more := cutByte(s, ','); more {
			s = rest
			continue
		}
		s, ok = cutByte(s, '}')
		return p, ok && skipSpace(s) == ""
	}
	return p, false
}

// skipSpace leaves out what RFC 8259 §2 allows between tokens.
func skipSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r' || s[0] == '\n') {
		s = s[1:]
	}
	return s
}

func cutByte(s string, c byte) (rest string, ok bool) {
	s = skipSpace(s)
	if s == "" || s[0] != c {
		return s, false
	}
	return s[1:], true
}

func cutPlainString(s string) (text, rest string, ok bool) {
	if s, ok = cutByte(s, '"'); !ok {
		return "", s, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			return s[:i], s[i+1:], true
		case c < 0x20 || c > 0x7e || c == '\\':
			return "", s, false
		}
	}
	return "", s, false
}
