package store

import (
	"strings"
	"testing"
)

func TestAPasswordWithAnAtIsRefusedAndNotRepeated(t *testing.T) {
	for url, wrong := range map[string]bool{
		"postgres://u:pass@word@db.example/x":          true,
		"postgres://u:pass@db.example,word@other/x":    true,
		"postgres://u:pass%40word@db.example/x":        false,
		"postgres://u:pass@db.example,other.example/x": false,
		"postgres://u:pass@/x?host=/run/@word":         false,
	} {
		_, err := poolConfig(Options{Database: url})
		if (err != nil) != wrong || wrong && (!strings.Contains(err.Error(), "%40") || strings.Contains(err.Error(), "word@")) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
