package server

import (
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/picture"
	"github.com/latchkey/latchkey/internal/portal"
)

// maxForm is the size of a form of the pages in bytes, unless it has a picture.
const maxForm = 64 << 10

// formLimit tells how large the form of a request may be, in bytes. A large one is not
// read before its handler does, unlike any that has another type.
func formLimit() func(*http.Request) int64 {
	uploads := http.NewServeMux()
	for _, pattern := range portal.Uploads() {
		uploads.Handle(pattern, http.NotFoundHandler())
	}
	return func(r *http.Request) int64 {
		_, pattern := uploads.Handler(r)
		if pattern != "" && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
			return picture.MaxBody
		}
		return maxForm
	}
}

// afterUpload begins the answer to a large form when all of that has come: a browser shows none
// to a form of which it could not send all. Whoever answers may do so without having read it,
// to somebody who is not signed in too: that costs formLimit bytes and requestTime, and no memory.
type afterUpload struct {
	http.ResponseWriter
	r *http.Request
}

// WriteHeader begins the answer.
func (a afterUpload) WriteHeader(status int) {
	picture.Drop(a.r)
	a.ResponseWriter.WriteHeader(status)
}
