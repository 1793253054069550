package store

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAStoreIsNotOpenedByAClockThatIsYearsBehind(t *testing.T) {
	folder := t.TempDir()
	at := func(now time.Time) Options {
		return Options{Folder: folder, Now: func() time.Time { return now }, Serve: true, Log: slog.New(slog.DiscardHandler)}
	}
	for _, behind := range []time.Time{time.Unix(12, 0), time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)} {
		s, err := Open(t.Context(), at(behind))
		if err == nil {
			must(t, s.Close())
		}
		if err == nil || !strings.Contains(err.Error(), "the clock says "+behind.UTC().Format(time.RFC3339)) {
			t.Errorf("by a clock at %v: %v", behind, err)
		}
	}
	s, err := Open(t.Context(), at(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())
}
