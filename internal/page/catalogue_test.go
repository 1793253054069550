package page

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
)

// TestEveryLanguageKnowsEveryText compares the catalogues with the code and the
// templates, both ways.
func TestEveryLanguageKnowsEveryText(t *testing.T) {
	said := map[string]string{}
	fromGo(t, said)
	fromTemplates(t, said)
	for _, month := range months() {
		said[month] = "the months"
	}
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages[1:] {
		for text, where := range said {
			if !regexp.MustCompile(`\pL`).MatchString(regexp.MustCompile(`%[a-z]`).ReplaceAllString(text, "")) {
				continue
			}
			translated, ok := l.texts[text]
			if !ok {
				t.Errorf("%s has nothing for %q (%s)", l.Tag, text, where)
			}
			if !slices.Equal(verbs(text), verbs(translated)) {
				t.Errorf("%s fills %q as %q", l.Tag, text, translated)
			}
		}
		for text := range l.texts {
			if _, ok := said[text]; !ok {
				t.Errorf("%s has %q, which nobody says", l.Tag, text)
			}
		}
	}
}

// verbs are the places that are filled. A catalogue may change their order by naming
// them, as in %[2]s.
func verbs(text string) []string {
	found := regexp.MustCompile(`%(?:\[\d+\])?[a-z]`).FindAllString(text, -1)
	for i, v := range found {
		found[i] = v[len(v)-1:]
	}
	slices.Sort(found)
	return found
}

func months() []string {
	return strings.Fields("January February March April May June July August September October November December")
}

// fromGo collects what oauth.Say is called with anywhere.
func fromGo(t *testing.T, said map[string]string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && says(call) {
				constant, ok := call.Args[0].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: the text of a sentence is no constant", path)
					return true
				}
				text, err := strconv.Unquote(constant.Value)
				if err != nil {
					t.Error(err)
				}
				said[text] = path
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func says(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name == "Say" || (f.Sel.Name == "Text" || f.Sel.Name == "Plain") && isLiteral(call)
	case *ast.Ident:
		return f.Name == "Say"
	}
	return false
}

func isLiteral(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	_, ok := call.Args[0].(*ast.BasicLit)
	return ok
}

// fromTemplates collects what the functions of the templates that speak are given, and
// finds words that are written without them.
func fromTemplates(t *testing.T, said map[string]string) {
	t.Helper()
	pages := newPages(t)
	names, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := pages.byLanguage[pages.languages[0]].find(strings.TrimSuffix(filepath.Base(name), ".html")); err != nil {
			t.Error(err)
		}
	}
	functions := pages.functions(pages.languages[0])
	builtin := map[string]any{}
	for _, name := range strings.Fields("and or not len index slice print printf println html js urlquery eq ne lt le gt ge call") {
		builtin[name] = true
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		trees, err := parse.Parse(name, string(raw), "", "", functions, builtin)
		if err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			var words strings.Builder
			walk(tree.Root, &words, func(text string) { said[text] = name })
			// One text node may hold half of a tag, so they are looked at together.
			bare := regexp.MustCompile(`(?s)<[^>]*>|[a-z-]+="[^"]*"|&[a-z]+;|client_id|client_secret|<!DOCTYPE html>`).ReplaceAllString(words.String(), "")
			if word := regexp.MustCompile(`\pL[\pL ]*`).FindString(bare); word != "" {
				t.Errorf("%s says %q past the catalogue", name, word)
			}
		}
	}
}

func walk(n parse.Node, words *strings.Builder, say func(string)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			walk(child, words, say)
		}
	case *parse.TextNode:
		words.Write(n.Text)
	case *parse.ActionNode:
		walkPipe(n.Pipe, say)
	case *parse.TemplateNode:
		walkPipe(n.Pipe, say)
	case *parse.IfNode:
		walkBranch(n.BranchNode, words, say)
	case *parse.RangeNode:
		walkBranch(n.BranchNode, words, say)
	case *parse.WithNode:
		walkBranch(n.BranchNode, words, say)
	}
}

func walkBranch(n parse.BranchNode, words *strings.Builder, say func(string)) {
	walkPipe(n.Pipe, say)
	walk(n.List, words, say)
	walk(n.ElseList, words, say)
}

// spoken are the arguments of each function that are texts.
var spoken = map[string][]int{"t": {1}, "count": {2, 3}, "field": {2}, "Hinted": {1}}

func walkPipe(pipe *parse.PipeNode, say func(string)) {
	if pipe == nil {
		return
	}
	for _, command := range pipe.Cmds {
		name := ""
		switch f := command.Args[0].(type) {
		case *parse.IdentifierNode:
			name = f.Ident
		case *parse.ChainNode:
			name = f.Field[len(f.Field)-1]
		}
		for _, i := range spoken[name] {
			if text, ok := command.Args[i].(*parse.StringNode); ok {
				say(text.Text)
			}
		}
		for _, argument := range command.Args {
			walkArgument(argument, say)
		}
	}
}

func walkArgument(n parse.Node, say func(string)) {
	switch n := n.(type) {
	case *parse.PipeNode:
		walkPipe(n, say)
	case *parse.ChainNode:
		walkArgument(n.Node, say)
	}
}
