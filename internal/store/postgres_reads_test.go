package store

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
)

// TestReadsAreNeverPlannedAsScans looks at plans that are made while the tables are empty:
// they are kept.
func TestReadsAreNeverPlannedAsScans(t *testing.T) {
	s, err := Open(t.Context(), Options{Database: realpostgres.Start(t).Database(t), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	for _, query := range []string{selectCheckByID, selectAccountByID} {
		rows, err := s.engine.(*postgres).reads.Query(t.Context(), `explain `+query, [][]byte{make([]byte, 16)})
		must(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "Index Cond: (id = ANY (") {
			t.Errorf("%s is planned as\n%s", query, plan)
		}
	}
}
