package oauth

import (
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
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isInvisible) || hasPile(s):
		return "", Say("The name has a character that cannot be shown.")
	}
	return s, Sentence{}
}

// isInvisible finds what has no shape of its own: controls, directions, and the
// letters that are blank.
func isInvisible(r rune) bool {
	return !unicode.IsGraphic(r) || strings.ContainsRune("\u115f\u1160\u3164\uffa0\u2800", r)
}

// hasPile finds marks piled on one letter, which cover the lines around it.
func hasPile(s string) bool {
	marks := 0
	for _, r := range s {
		if marks++; !unicode.Is(unicode.Mn, r) {
			marks = 0
		}
		if marks > 4 {
			return true
		}
	}
	return false
}

// MaxLink is the length of a link in bytes.
const MaxLink = 500

// CleanLink checks the address of a site or a picture: empty, https, or http on
// this machine. What is wrong is a sentence for the person who typed it, empty
// when nothing is.
func CleanLink(s string) (link string, wrong Sentence) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", Sentence{}
	}
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxLink || !ValidHost(u) || u.User != nil ||
		u.Scheme != "https" && (u.Scheme != "http" || !LoopbackHost(u.Hostname())) {
		return "", Say("Enter an address that begins with https://.")
	}
	return u.String(), Sentence{}
}
