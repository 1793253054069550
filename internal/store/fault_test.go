package store

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestAFaultTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, code, words string }{
		{"the database shuts down", "57P01", "cannot reach its database"},
		{"its disk is full", "53100", "cannot reach its database"},
		{"its disk is broken", "58030", "cannot reach its database"},
		{"it only reads", "25006", "cannot reach its database"},
		{"a statement takes too long", "57014", "did not answer in time"},
		{"a statement is wrong", "42601", "42601"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := fault(&pgconn.PgError{Code: c.code}); !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %q; want one that says %q", err, c.words)
			}
		})
	}
}
