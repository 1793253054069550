package store

import (
	"reflect"
	"slices"
	"strings"
)

// storable is a text as every engine can store it and look for it: PostgreSQL refuses a NUL, and
// what is no UTF-8. The sign of a character that could not be read stands for them, so what
// somebody typed is not found, or looks wrong, and is no fault of the database.
func storable(text string) string {
	const unreadable = "\uFFFD"
	return strings.ReplaceAll(strings.ToValidUTF8(text, unreadable), "\x00", unreadable)
}

// allStorable are arguments whose texts are storable.
func allStorable(args []any) []any {
	for i, arg := range args {
		v := reflect.ValueOf(arg)
		if v.Kind() != reflect.String {
			continue
		}
		if text := storable(v.String()); text != v.String() {
			args = slices.Clone(args)
			args[i] = text
		}
	}
	return args
}
