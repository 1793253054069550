package oauth

import "fmt"

// Sentence is something that a page tells a person. Its text is English and at the
// same time the key by which the catalogue of internal/page finds it in another
// language; Args fill its verbs (package fmt). What programs read, such as an
// error_description, is no Sentence: it stays as it is.
type Sentence struct {
	Text string
	Args []any
}

// Say makes a Sentence. The text is a constant, so that the catalogue can be checked
// against the code.
func Say(text string, args ...any) Sentence { return Sentence{Text: text, Args: args} }

// IsZero reports whether nothing is said.
func (s Sentence) IsZero() bool { return s.Text == "" }

// String is the sentence in English.
func (s Sentence) String() string {
	if len(s.Args) == 0 {
		return s.Text
	}
	return fmt.Sprintf(s.Text, s.Args...)
}
