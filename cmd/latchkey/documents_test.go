package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func operating(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestOperatingHasEveryFlagOfServe also compares their defaults.
func TestOperatingHasEveryFlagOfServe(t *testing.T) {
	root := commands(terminal{})
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| (.*?) \\|").FindAllStringSubmatch(operating(t), -1) {
		documented[row[1]] = row[2]
	}
	check := func(f *pflag.Flag) {
		shown, ok := documented[f.Name]
		delete(documented, f.Name)
		switch {
		case f.Name == "config" || f.Name == "help":
		case !ok:
			t.Errorf("docs/operating.md has no --%s", f.Name)
		case f.DefValue != "" && f.DefValue != "[]" && !strings.HasPrefix(shown, "`"+briefDuration(f.DefValue)+"`"):
			t.Errorf("docs/operating.md gives --%s the default %s, but it is %s", f.Name, shown, f.DefValue)
		}
	}
	serve.Flags().VisitAll(check)
	root.PersistentFlags().VisitAll(check)
	for name := range documented {
		t.Errorf("docs/operating.md has --%s, which serve has not", name)
	}
}

// briefDuration leaves out the minutes and seconds of 2h0m0s.
func briefDuration(value string) string {
	return regexp.MustCompile(`([hm])0m0s$|([m])0s$`).ReplaceAllString(value, "$1$2")
}

func TestOperatingHasEveryCommand(t *testing.T) {
	text := operating(t)
	root := commands(terminal{})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			walk(child)
		}
		if cmd.HasSubCommands() || !cmd.Runnable() || cmd.Name() == "help" {
			return
		}
		line := regexp.MustCompile(`(?m)^    ` + cmd.CommandPath() + `(?: .*)?$`).FindString(text)
		if line == "" {
			t.Errorf("docs/operating.md has no line for %q", cmd.CommandPath())
			return
		}
		if slices.Contains([]string{"serve", "demo"}, cmd.Name()) {
			// Their flags are those of the table.
			return
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(line, -1) {
			if cmd.Flags().Lookup(strings.TrimPrefix(flag, "--")) == nil {
				t.Errorf("docs/operating.md gives %q the flag %s, which it has not", cmd.CommandPath(), flag)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			// What every command has stands above the list; an address can stand for ACCOUNT.
			if f.Name != "json" && f.Name != "help" && f.Name != "email" && !strings.Contains(line, "--"+f.Name) {
				t.Errorf("docs/operating.md has no --%s for %q", f.Name, cmd.CommandPath())
			}
			optional := len(f.Annotations[cobra.BashCompOneRequiredFlag]) == 0
			for _, usage := range []string{line, cmd.Use} {
				if optional && strings.Contains(regexp.MustCompile(`\[[^]]*\]`).ReplaceAllString(usage, ""), "--"+f.Name) {
					t.Errorf("%q makes --%s a must", usage, f.Name)
				}
			}
		})
	}
	walk(root)
}

func TestOperatingHasEveryKeyOfTheFile(t *testing.T) {
	block := regexp.MustCompile("(?s)Only in the file:\n\n```yaml\n(.*?)```").FindStringSubmatch(operating(t))
	if block == nil {
		t.Fatal("docs/operating.md has no example of the configuration")
	}
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			key := f.Tag.Get("yaml")
			if !regexp.MustCompile(fmt.Sprintf(`(?m)^[ -]*%s:`, key)).MatchString(block[1]) {
				t.Errorf("docs/operating.md has no key %s", key)
			}
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(inner)
			}
		}
	}
	walk(reflect.TypeFor[fileConfig]())
}

// TestDocumentsLeadSomewhere follows the links between the documents, to their headings.
func TestDocumentsLeadSomewhere(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range append(documents, "../../README.md", "../../CHANGELOG.md") {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(raw), -1) {
			to, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			target := document
			if to != "" {
				target = filepath.Join(filepath.Dir(document), to)
			}
			there, err := os.ReadFile(target)
			if err != nil || anchor != "" && !slices.Contains(anchors(string(there)), anchor) {
				t.Errorf("%s leads to %s, which is not there", filepath.Base(document), link[1])
			}
		}
	}
}

// anchors are the headings of a document as GitHub names them.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
