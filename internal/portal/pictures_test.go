package portal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestAPictureThatCannotBeReadIsAnsweredAsEverythingElse(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		retry  string
		logged bool
	}{
		{"the database takes too long", context.DeadlineExceeded, http.StatusServiceUnavailable, "2", true},
		{"the browser has left", context.Canceled, http.StatusServiceUnavailable, "2", false},
		{"something is broken", errors.New("no such column"), http.StatusInternalServerError, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			p := &Portal{
				Log:     slog.New(slog.NewTextHandler(&log, nil)),
				Picture: func(context.Context, oauth.ID) (oauth.Picture, error) { return oauth.Picture{}, c.err },
			}
			r, w := httptest.NewRequest(http.MethodGet, "/pictures/x", nil), httptest.NewRecorder()
			r.SetPathValue("id", "01890000-0000-7000-8000-000000000000")
			p.ServePicture(w, r)
			if w.Code != c.status || w.Header().Get("Retry-After") != c.retry || log.Len() > 0 != c.logged {
				t.Errorf("%d, Retry-After %q, logged %q", w.Code, w.Header().Get("Retry-After"), log.String())
			}
		})
	}
}
