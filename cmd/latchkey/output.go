package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// jsonFlag is on every command that prints what it found or made.
func (c *config) jsonFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&c.json, "json", false, "print JSON")
}

// print writes v as JSON, or else the rows as a table.
func (c *config) print(v any, rows [][]string) error {
	if c.json {
		e := json.NewEncoder(c.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// done says in a sentence what a command did.
func (c *config) done(v any, format string, args ...any) error {
	return c.print(v, [][]string{{fmt.Sprintf(format, args...)}})
}
