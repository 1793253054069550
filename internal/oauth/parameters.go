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
	values map[string]string
	// repeated are the names that were sent twice. Which value was meant cannot
	// be known, so they have none.
	repeated []string
	pairs    []Parameter
}

// Encode writes all parameters as a query, in the order in which they came. The
// same parameters always give the same string.
func (p Parameters) Encode() string {
	return strings.TrimPrefix(AddToRedirectURI("", p.pairs...), "?")
}

// Get is the value of a parameter, or "".
func (p Parameters) Get(name string) string { return p.values[name] }

// Repeated reports whether the parameter was sent twice.
func (p Parameters) Repeated(name string) bool { return slices.Contains(p.repeated, name) }

// RefuseRepeated is the error of a request in which any parameter was sent twice.
func (p Parameters) RefuseRepeated() *Error {
	if len(p.repeated) == 0 {
		return nil
	}
	return NewError(InvalidRequest, "the parameter %s was sent twice", p.repeated[0])
}

func (p *Parameters) add(name, value string) {
	p.pairs = append(p.pairs, Parameter{name, value})
	if _, twice := p.values[name]; twice || p.Repeated(name) {
		delete(p.values, name)
		p.repeated = append(p.repeated, name)
		return
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	p.values[name] = value
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
			return Parameters{}, fmt.Errorf("the parameter %s has a broken percent-encoding", name)
		}
		p.add(name, value)
	}
	return p, nil
}

// ParseJSONParameters reads one JSON object whose values are all strings.
func ParseJSONParameters(body []byte) (Parameters, error) {
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
