package latchkey_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/latchkey/latchkey"

// TestImportsFollowTheTableOfRooms compares docs/architecture.md with the code.
func TestImportsFollowTheTableOfRooms(t *testing.T) {
	rooms := tableOfRooms(t)
	packages := importsByPackage(t)
	for name, imports := range packages {
		room, ok := rooms[name]
		if !ok {
			t.Errorf("the package %s has no row in the table of rooms", name)
			continue
		}
		for _, imported := range imports {
			if !room.allows(imported) {
				t.Errorf("%s imports %s; its row allows: %s", name, imported, room)
			}
		}
	}
	for name := range rooms {
		if _, exists := packages[name]; !exists {
			t.Errorf("the table of rooms has a row for %s, which does not exist", name)
		}
	}
}

// room is what a package may import, as its row says it.
type room string

// allows decides on the import path of another package of this module or of the
// world; the standard library is for everybody.
func (r room) allows(imported string) bool {
	own, inside := strings.CutPrefix(imported, module+"/")
	switch r {
	case "all":
		return true
	case "standard library":
		return false
	case "nothing internal":
		return !strings.HasPrefix(own, "internal/")
	}
	return !inside || slices.Contains(strings.Split(string(r), ", "), path.Base(own))
}

func tableOfRooms(t *testing.T) map[string]room {
	t.Helper()
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## Rooms")
	if !found {
		t.Fatal("docs/architecture.md has no section Rooms")
	}
	rooms := map[string]room{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		rooms[name] = room(strings.TrimSpace(cells[3]))
	}
	if len(rooms) < 10 {
		t.Fatalf("the table of rooms has only %d rows", len(rooms))
	}
	return rooms
}

// importsByPackage lists what each package imports beyond the standard library,
// without its tests; the black-box tests are judged with theirs.
func importsByPackage(t *testing.T) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir == "." || strings.HasSuffix(file, "_test.go") && dir != "e2e" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if _, known := packages[dir]; !known {
			packages[dir] = nil
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && imported != module+"/"+dir {
				packages[dir] = append(packages[dir], imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
