package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// entry is a value of the configuration file.
type entry struct {
	file string
	line int
	// key is its whole name, such as webhooks.first_retry; empty for the whole file.
	key  string
	node *yaml.Node
}

// readYAML reads the one document of a file, which may be empty.
func readYAML(file string) (entry, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return entry{}, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	var document, second yaml.Node
	if err = d.Decode(&document); err == nil {
		err = d.Decode(&second)
	}
	switch {
	case err == nil:
		return entry{}, fmt.Errorf("%s: line %d: a second document begins here; there must be one", file, second.Line)
	case !errors.Is(err, io.EOF):
		return entry{}, fmt.Errorf("%s is not valid YAML: %w", file, err)
	case document.IsZero():
		return entry{node: &yaml.Node{Kind: yaml.MappingNode}}, nil
	}
	return entry{file: file}.with("", document.Content[0]), nil
}

// with is an entry of the same file. An alias stands for what it repeats.
func (e entry) with(key string, node *yaml.Node) entry {
	e.line, e.key, e.node = node.Line, key, node
	if node.Kind == yaml.AliasNode {
		e.node = node.Alias
	}
	return e
}

// String says where the entry is, and its key.
func (e entry) String() string {
	place := fmt.Sprintf("%s: line %d", e.file, e.line)
	if e.key == "" {
		return place
	}
	return place + ": " + e.key
}

// wrong refuses an entry that is not what was expected.
func (e entry) wrong(expected string) error {
	if e.node.Kind == yaml.ScalarNode {
		return fmt.Errorf("%s: %q is not a valid value: %s", e, e.node.Value, expected)
	}
	return fmt.Errorf("%s: %s", e, expected)
}

func (e entry) isNull() bool { return e.node.Kind == yaml.ScalarNode && e.node.Tag == "!!null" }

// keys calls each with the name and the entry of every key below this one.
func (e entry) keys(expected string, each func(name string, inner entry) error) error {
	if e.isNull() {
		return nil
	}
	if e.node.Kind != yaml.MappingNode {
		return e.wrong(expected)
	}
	seen := map[string]bool{}
	for i := 0; i < len(e.node.Content); i += 2 {
		name := e.node.Content[i].Value
		inner := e.with(strings.TrimPrefix(e.key+"."+name, "."), e.node.Content[i+1])
		inner.line = e.node.Content[i].Line
		// The keys that are flags can be written with hyphens, too.
		same := strings.ReplaceAll(name, "_", "-")
		if seen[same] {
			return fmt.Errorf("%s is configured twice", inner)
		}
		seen[same] = true
		if err := each(name, inner); err != nil {
			return err
		}
	}
	return nil
}

// scalars reads one value or a list of values.
func (e entry) scalars() ([]string, error) {
	if e.node.Kind == yaml.ScalarNode {
		return []string{e.node.Value}, nil
	}
	if e.node.Kind != yaml.SequenceNode {
		return nil, e.wrong("must be a plain value or a list of them")
	}
	values := []string{} // a list of nothing is something else than no list
	for _, item := range e.node.Content {
		one := e.with(e.key, item)
		if one.node.Kind != yaml.ScalarNode {
			return nil, one.wrong("must be a list of plain values")
		}
		values = append(values, one.node.Value)
	}
	return values, nil
}

// decode sets target by the entry, and notes where each key is. What is empty leaves it.
func (e entry) decode(target reflect.Value, places map[string]string) (err error) {
	expected := expectation(target.Type())
	places[e.key] = e.String()
	list, isList := target.Addr().Interface().(*[]string)
	switch {
	case e.isNull():
		return nil
	case target.Kind() == reflect.Struct:
		return e.keys(expected, func(name string, inner entry) error { return inner.decodeField(target, name, places) })
	case target.Kind() == reflect.Slice && e.node.Kind != yaml.SequenceNode:
		return e.wrong(expected)
	case isList:
		*list, err = e.scalars()
		return err
	case target.Kind() == reflect.Slice:
		all := reflect.MakeSlice(target.Type(), len(e.node.Content), len(e.node.Content))
		for i, item := range e.node.Content {
			if err := e.with(e.key, item).decode(all.Index(i), places); err != nil {
				return err
			}
		}
		target.Set(all)
		return nil
	}
	if e.node.Kind != yaml.ScalarNode || e.node.Decode(target.Addr().Interface()) != nil {
		return e.wrong(expected)
	}
	return nil
}

// decodeField sets the field that has the name of the entry's key.
func (e entry) decodeField(target reflect.Value, name string, places map[string]string) error {
	for i := range target.NumField() {
		if target.Type().Field(i).Tag.Get("yaml") == name {
			return e.decode(target.Field(i), places)
		}
	}
	return fmt.Errorf("%s: line %d: unknown key: %s", e.file, e.line, e.key)
}

// expectation tells what a value of a type must be.
func expectation(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Struct:
		var names []string
		for i := range of.NumField() {
			names = append(names, of.Field(i).Tag.Get("yaml"))
		}
		return "must have keys below it, of these: " + strings.Join(names, ", ")
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Struct {
			return "must be a list"
		}
		return "must be a list of plain values"
	case reflect.Bool:
		return "must be true or false"
	}
	if of == reflect.TypeFor[time.Duration]() {
		return `must be a duration like "30s" or "5m"` // as the flags say it
	}
	return "must be a plain value"
}
