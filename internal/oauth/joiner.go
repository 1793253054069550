package oauth

import (
	"strings"
	"unicode"
)

// The joiners have no shape of their own, and decide in some scripts on that of the
// characters beside them.
const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'

func isJoiner(r rune) bool { return r == zeroWidthNonJoiner || r == zeroWidthJoiner }

// joins reports whether the joiner at a place can change what is shown: by the rules of
// RFC 5892 appendix A.1 and A.2, between emoji, and after the Ra of Bengali and Kannada
// (Unicode 12.2, 12.8). Elsewhere it would only make a name that looks like another.
func joins(all []rune, i int) bool {
	if i == 0 {
		return false
	}
	before, after := all[i-1], rune(0)
	if i+1 < len(all) {
		after = all[i+1]
	}
	switch {
	case isVirama(before):
		return true
	case all[i] == zeroWidthNonJoiner:
		return isCursive(beforeMarks(all[:i])) && isCursive(after)
	case before == '\u09b0' || before == '\u0cb0':
		return isVirama(after)
	}
	return isEmoji(beforeMarks(all[:i])) && isEmoji(after)
}

// emojiSelector makes a coloured picture of a sign, and a keycap of a digit.
const emojiSelector = '\ufe0f'

// makesEmoji reports whether the emojiSelector at a place can change what is shown: behind the
// characters that have both shapes (Unicode emoji-variation-sequences).
func makesEmoji(all []rune, i int) bool {
	if i == 0 {
		return false
	}
	const others = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2196\u2197\u2198\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9\u23ea\u23ed\u23ee\u23ef" +
		"\u23f1\u23f2\u23f3\u23f8\u23f9\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb\u25fc\u25fd\u25fe\u2934\u2935\u3030\u303d\u3297\u3299" +
		"\U0001f004\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202\U0001f21a\U0001f22f\U0001f237"
	before := all[i-1]
	keycap := i+1 < len(all) && all[i+1] == '\u20e3' && strings.ContainsRune("0123456789#*", before)
	return keycap || isEmoji(before) || strings.ContainsRune(others, before)
}

// beforeMarks is the last character without what changes it: marks, among which U+FE0F
// is, and the tones of skin.
func beforeMarks(all []rune) rune {
	for i := len(all) - 1; i >= 0; i-- {
		if r := all[i]; !unicode.Is(unicode.Mn, r) && (r < 0x1f3fb || r > 0x1f3ff) {
			return r
		}
	}
	return 0
}

// isCursive finds the letters of scripts that join. Some join on one side alone; people
// write a joiner there too.
func isCursive(r rune) bool {
	return unicode.IsLetter(r) && unicode.In(r, unicode.Adlam, unicode.Arabic, unicode.Chorasmian, unicode.Hanifi_Rohingya,
		unicode.Mandaic, unicode.Manichaean, unicode.Mongolian, unicode.Nko, unicode.Old_Uyghur, unicode.Phags_Pa,
		unicode.Psalter_Pahlavi, unicode.Sogdian, unicode.Syriac)
}

// isEmoji finds the pictures that are joined to others, by the blocks that have them.
func isEmoji(r rune) bool {
	switch {
	case r == '\u2194' || r == '\u2195':
		return true
	case r >= 0x2600 && r <= 0x27bf, r >= 0x2b00 && r <= 0x2bff, r >= 0x1f300 && r <= 0x1faff:
		return unicode.Is(unicode.So, r)
	}
	return false
}

// isVirama finds the characters of the canonical combining class 9 (Unicode 15).
func isVirama(r rune) bool {
	return strings.ContainsRune("\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u0e3a\u0eba\u0f84\u1039\u103a"+
		"\u1714\u1715\u1734\u17d2\u1a60\u1b44\u1baa\u1bab\u1bf2\u1bf3\u2d7f\ua806\ua82c\ua8c4\ua953\ua9c0\uaaf6\uabed\U00010a3f"+
		"\U00011046\U00011070\U0001107f\U000110b9\U00011133\U00011134\U000111c0\U00011235\U000112ea\U0001134d\U00011442\U000114c2"+
		"\U000115bf\U0001163f\U000116b6\U0001172b\U00011839\U0001193d\U0001193e\U000119e0\U00011a34\U00011a47\U00011a99\U00011c3f"+
		"\U00011d44\U00011d45\U00011d97\U00011f41\U00011f42", r)
}
