package picture

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/latchkey/latchkey/internal/oauth"
)

// maxValues is the size of all fields beside the file, in bytes, as of any form.
const maxValues = 64 << 10

// MaxBody is how much of a form with a file is read, in bytes. A file above MaxUpload
// is read to its end and dropped as it comes, so that the person is told what is wrong:
// a browser shows no answer to a form of which it could not send all.
const MaxBody = 24 << 20

// Drop reads a form that is refused to its end, and keeps nothing of it.
func Drop(r *http.Request) {
	// What does not arrive need not be dropped.
	_, _ = io.Copy(io.Discard, r.Body)
}

// fromForm reads the file of a form from its field name, nil when none was chosen, and
// puts the other fields into r.PostForm. wrong tells the person what to mend. At most
// MaxUpload and the other fields are in memory.
func fromForm(r *http.Request, name string) (upload []byte, wrong oauth.Sentence) {
	parts, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		return nil, oauth.Sentence{}
	}
	left := int64(maxValues)
	for err == nil {
		var part *multipart.Part
		if part, err = parts.NextPart(); err != nil {
			break
		}
		switch {
		case part.FileName() == "" && part.FormName() != name:
			err = addValue(r, part, &left)
		case part.FormName() == name && len(upload) == 0:
			upload, err = io.ReadAll(io.LimitReader(part, MaxUpload+1))
			if err == nil && len(upload) > MaxUpload {
				wrong, upload = tooLarge(), nil
				_, err = io.Copy(io.Discard, part)
			}
		}
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge()
	case !errors.Is(err, io.EOF):
		return nil, oauth.Say("The picture did not arrive. Try again.")
	case !wrong.IsZero():
		return nil, wrong
	}
	if len(upload) == 0 {
		return nil, oauth.Sentence{}
	}
	return upload, oauth.Sentence{}
}

// fieldCost is what a field counts beside its name and value: many empty ones take memory too.
const fieldCost = 64

// addValue reads a field that is not a file.
func addValue(r *http.Request, part *multipart.Part, left *int64) error {
	value, err := io.ReadAll(io.LimitReader(part, *left+1))
	if err != nil {
		return err
	}
	if *left -= fieldCost + int64(len(part.FormName())+len(value)); *left < 0 {
		return &http.MaxBytesError{Limit: maxValues}
	}
	if r.PostForm == nil {
		r.PostForm = map[string][]string{}
	}
	r.PostForm.Add(part.FormName(), string(value))
	return nil
}
