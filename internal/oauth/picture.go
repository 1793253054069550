package oauth

import (
	"io"
	"strings"
	"time"
)

// Picture is the logo of an application or the picture of an account, as everybody may
// see it.
type Picture struct {
	ID ID
	// Type is image/png or image/jpeg.
	Type      string
	Body      []byte
	CreatedAt time.Time
}

// Named is the picture with a new id, which nobody can guess before it is shown.
func (p Picture) Named(random io.Reader, now time.Time) (Picture, error) {
	id, err := NewID(random, now)
	p.ID, p.CreatedAt = id, now
	return p, err
}

// picturePath is where the pages show a picture; its id follows.
const picturePath = "/pictures/"

// Path is where the picture is served.
func (p Picture) Path() string { return picturePath + p.ID.String() }

// PictureOf is the id of the picture that this server keeps under a path; ok is false for
// the address of a picture elsewhere.
func PictureOf(path string) (ID, bool) {
	id, own := strings.CutPrefix(path, picturePath)
	if !own {
		return ID{}, false
	}
	return ParseID(id)
}
