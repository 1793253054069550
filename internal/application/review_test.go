package application

import (
	"strings"
	"testing"
)

func TestReasons(t *testing.T) {
	long := strings.Repeat("\u00e4", maxReason)
	for _, c := range []struct {
		reason string
		needed bool
		want   string
		wrong  bool
	}{
		{" It sent\r\n\u202espam. ", true, "It sent spam.", false},
		{"a\u00a0b", true, "a b", false},
		{"", false, "", false},
		{" \t", true, "", true},
		{long, true, long, false},
		{long + "x", false, "", true},
	} {
		if got, err := Reason(c.reason, c.needed); got != c.want || (err != nil) != c.wrong {
			t.Errorf("%q is %q, %v", c.reason, got, err)
		}
	}
}
