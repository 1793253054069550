package portal

import (
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

// device names a browser and its system in words, as far as its user agent tells.
func device(userAgent string) oauth.Sentence {
	browser, system := browserOf(userAgent), systemOf(userAgent)
	switch {
	case browser != "" && system != "":
		return oauth.Say("%s on %s", browser, system)
	case browser != "":
		return oauth.Say("%s", browser)
	case system != "":
		return oauth.Say("A browser on %s", system)
	}
	return oauth.Say("A browser")
}

// browserOf looks for names of products. The order matters: browsers name those that
// they stand in for.
func browserOf(userAgent string) string {
	return firstOf(userAgent, [][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"},
		{"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"},
	})
}

// systemOf looks for systems, those first that others also name.
func systemOf(userAgent string) string {
	return firstOf(userAgent, [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	})
}

func firstOf(userAgent string, names [][2]string) string {
	for _, n := range names {
		if strings.Contains(userAgent, n[0]) {
			return n[1]
		}
	}
	return ""
}
