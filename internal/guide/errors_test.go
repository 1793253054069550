package guide

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryErrorDescriptionIsExplained compares the page of the errors with what the code
// says, both ways.
func TestEveryErrorDescriptionIsExplained(t *testing.T) {
	said := descriptions(t)
	in := languages(t)
	for tag, l := range in {
		var explained []string
		for _, s := range sectionsIn(t, l) {
			if s.slug != "errors" {
				continue
			}
			for _, found := range regexp.MustCompile(`<dt id="[^"]+"><code>(.*?)</code></dt>`).FindAllStringSubmatch(string(s.body), -1) {
				explained = append(explained, html.UnescapeString(found[1]))
			}
		}
		for _, description := range said {
			if !slices.ContainsFunc(explained, func(e string) bool { return fits(e, description) }) {
				t.Errorf("%s: nothing explains %q", tag, description)
			}
		}
		for _, e := range explained {
			if !slices.ContainsFunc(said, func(description string) bool { return fits(e, description) }) {
				t.Errorf("%s: nothing says %q", tag, e)
			}
		}
	}
}

// fits: what is explained may leave out an end that depends on the configuration.
func fits(explained, description string) bool {
	beginning, cut := strings.CutSuffix(explained, "…")
	return explained == description || cut && !strings.HasSuffix(beginning, " ") && strings.HasPrefix(description, beginning)
}

// descriptions are those in the source of the packages that refuse requests.
func descriptions(t *testing.T) []string {
	t.Helper()
	made := regexp.MustCompile(`NewError\([^,"]+, "([^"]+)"|Description: +"([^"]+)"`)
	parsed := regexp.MustCompile(`(?:errors\.New|fmt\.Errorf)\("([^"]+)"`)
	verb := regexp.MustCompile(`%[a-z]`)
	var all []string
	for _, room := range []string{"oauth", "endpoint", "authorize", "grant", "store"} {
		files, err := filepath.Glob("../" + room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("the source of %s: %v", room, err)
		}
		for _, file := range files {
			// A trial is for the pages, not for applications.
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "trial.go" {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found := made.FindAllStringSubmatch(string(source), -1)
			if filepath.Base(file) == "parameters.go" {
				found = append(found, parsed.FindAllStringSubmatch(string(source), -1)...)
			}
			for _, one := range found {
				text := verb.ReplaceAllString(strings.Join(one[1:], ""), "…")
				if text != "…" {
					all = append(all, text)
				}
			}
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d descriptions were found", len(all))
	}
	return all
}
