package oauth

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the length of a name in characters.
const MaxName = 80

// CleanName trims the name of an account or an application, and refuses what
// could make it look like something else on a consent page. What is wrong is a
// sentence for the person who typed it, zero when nothing is.
func CleanName(s string) (name string, wrong Sentence) {
	s = strings.Join(strings.Fields(s), " ")
	switch {
	case s == "":
		return "", Say("Enter a name.")
	case utf8.RuneCountInString(s) > MaxName:
		return "", Say("Use at most %d characters for the name.", MaxName)
	case hasPile(s):
		return "", Say("The name has more than %d marks on one letter.", maxMarks)
	}
	if hidden, found := findHidden(s); found {
		return "", Say("The name has a character that cannot be shown: %s.", fmt.Sprintf("U+%04X", hidden))
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsMark(r) && !unicode.IsSpace(r) && !isJoiner(r) }) {
		return "", Say("Enter a name.")
	}
	return s, Sentence{}
}

// findHidden finds the first character that nobody would see, or that is none.
func findHidden(s string) (hidden rune, found bool) {
	all := []rune(s)
	for i, r := range all {
		shown := !IsInvisible(r)
		switch {
		case isJoiner(r):
			shown = joins(all, i)
		case r == emojiSelector:
			shown = makesEmoji(all, i)
		}
		if !shown {
			return r, true
		}
	}
	return utf8.RuneError, !utf8.ValidString(s)
}

// IsInvisible finds what has no shape of its own: controls, directions, what chooses between
// shapes of the letter before it, and the letters and signs that are blank.
func IsInvisible(r rune) bool {
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		strings.ContainsRune("\u2800\U00013441\U00013442\U00016fe4\U0001d159", r)
}

// maxMarks is how many marks one letter may have.
const maxMarks = 4

// hasPile finds marks piled on one letter, which cover the lines around it. A joiner
// begins no other letter.
func hasPile(s string) bool {
	marks := 0
	for _, r := range s {
		if marks++; !unicode.Is(unicode.Mn, r) && !isJoiner(r) {
			marks = 0
		}
		if marks > maxMarks {
			return true
		}
	}
	return false
}

// maxLink is the length of a link in characters, as it is typed.
const maxLink = 500

// CleanLink checks the address of a site or a picture: empty, https, or http on
// this machine. What is wrong is a sentence for the person who typed it, zero
// when nothing is.
func CleanLink(s string) (link string, wrong Sentence) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", Sentence{}
	}
	u, err := url.Parse(s)
	switch {
	case utf8.RuneCountInString(s) > maxLink:
		return "", Say("Use at most %d characters.", maxLink)
	case err != nil && strings.HasPrefix(s, "https://"):
		return "", unescaped()
	case err != nil || u.Scheme != "https" && (u.Scheme != "http" || !LoopbackHost(u.Hostname())):
		return "", Say("Enter an address that begins with https://.")
	case u.User != nil:
		return "", Say("Leave out user name and password.")
	case !CheckHost(u).IsZero():
		return "", CheckHost(u)
	// Path and fragment are escaped where they are written out, the query is not.
	case strings.ContainsFunc(u.RawQuery, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", unescaped()
	}
	return u.String(), Sentence{}
}

func unescaped() Sentence {
	return Say("It has a character that RFC 3986 does not allow; escape it with a percent sign.")
}
