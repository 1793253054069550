// Package picture makes what people upload fit to be shown by everybody: it decodes a
// PNG, JPEG, GIF or WebP, crops it to a square in the middle, and encodes it anew as a
// small picture without anything that was hidden in the file.
//
// A handler of a form with enctype="multipart/form-data" reads it like this; the other
// fields are in r.PostForm afterwards, as those of any form:
//
//	made, wrong := studio.FromForm(r, account, "picture") // nil when no file was chosen
//
// The route of the form must be among those for which internal/server allows large
// forms (portal.Uploads).
package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/gif" // decoded
	"image/jpeg"
	"image/png"
	"net/http"
	"sync"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decoded

	"github.com/latchkey/latchkey/internal/oauth"
)

// Side is the width and the height of every picture in pixels.
const Side = 256

// MaxUpload is the size of a file in bytes.
const MaxUpload = 2 << 20

const (
	// maxSide is the width and the height of an upload in pixels.
	maxSide = 4096
	// bytesPerPixel is the most that a decoded pixel takes: four channels of 16 bits.
	bytesPerPixel = 8
	// maxMemory is what an upload may take in bytes while it is decoded.
	maxMemory = maxSide * maxSide * bytesPerPixel
)

// Studio makes pictures, one at a time: each may take much memory for a moment. Of forms
// it reads maxForms at once.
type Studio struct {
	turn, forms chan struct{}
	mutex       sync.Mutex
	// sending counts the forms of each account that are under way.
	sending map[oauth.ID]int
}

const (
	// maxForms is how many forms are in memory, from their beginning until their pictures
	// are made.
	maxForms = 16
	// maxFormsOfOne is how many of these one account may send, so that one who sends slowly
	// does not hold up the others.
	maxFormsOfOne = 2
)

// NewStudio makes a studio.
func NewStudio() *Studio {
	return &Studio{turn: make(chan struct{}, 1), forms: make(chan struct{}, maxForms), sending: map[oauth.ID]int{}}
}

// begin reports whether the account may send one more form, and counts it until end.
func (s *Studio) begin(account oauth.ID) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sending[account] >= maxFormsOfOne {
		return false
	}
	s.sending[account]++
	return true
}

func (s *Studio) end(account oauth.ID) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sending[account]--; s.sending[account] == 0 {
		delete(s.sending, account)
	}
}

// FromForm makes a picture of the file of a form of an account from its field name, nil when
// none was chosen, and puts the other fields into r.PostForm. wrong tells the person what to
// mend.
func (s *Studio) FromForm(r *http.Request, account oauth.ID, name string) (made *oauth.Picture, wrong oauth.Sentence) {
	if !s.begin(account) {
		Drop(r)
		return nil, busy()
	}
	defer s.end(account)
	select {
	case s.forms <- struct{}{}:
	case <-r.Context().Done():
		Drop(r)
		return nil, busy()
	}
	defer func() { <-s.forms }()
	upload, wrong := fromForm(r, name)
	if upload == nil {
		return nil, wrong
	}
	p, wrong := s.Make(r.Context(), upload)
	if !wrong.IsZero() {
		return nil, wrong
	}
	return &p, wrong
}

// Make is the picture of an upload, without an id. wrong tells the person what to mend.
func (s *Studio) Make(ctx context.Context, upload []byte) (p oauth.Picture, wrong oauth.Sentence) {
	orientation, wrong := check(upload)
	if !wrong.IsZero() {
		return p, wrong
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return p, busy()
	}
	defer func() { <-s.turn }()
	decoded, _, err := image.Decode(bytes.NewReader(upload))
	if err != nil {
		return p, unreadable()
	}
	p, err = encode(orientation.turn(square(decoded)))
	if err != nil {
		return oauth.Picture{}, unreadable()
	}
	return p, oauth.Sentence{}
}

func busy() oauth.Sentence {
	return oauth.Say("Many pictures are being uploaded. Wait a little and try again.")
}

func unreadable() oauth.Sentence {
	return oauth.Say("The picture cannot be read. Use a PNG, JPEG, GIF or WebP picture.")
}

func tooLarge() oauth.Sentence {
	return oauth.Say("The picture is too large. Use a file of at most %d MB.", MaxUpload>>20)
}

// check looks at the head of an upload, before memory is taken for its pixels.
func check(upload []byte) (orientation, oauth.Sentence) {
	if len(upload) > MaxUpload {
		return 0, tooLarge()
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(upload))
	if err != nil || config.Width < 1 || config.Height < 1 {
		return 0, unreadable()
	}
	head := jpegHead{bytesPerPixel: bytesPerPixel}
	if format == "jpeg" {
		if tooManyScans(upload) {
			return 0, unreadable()
		}
		head = readJPEG(upload)
	}
	if config.Width > maxSide || config.Height > maxSide || config.Width*config.Height*head.bytesPerPixel > maxMemory {
		return 0, oauth.Say("The picture has too many pixels: %d × %d. Make it smaller, such as %d × %d.", config.Width, config.Height, 4*Side, 4*Side)
	}
	return head.orientation, oauth.Sentence{}
}

// square is the middle of an image, scaled to what is shown.
func square(from image.Image) *image.NRGBA {
	b := from.Bounds()
	side := min(b.Dx(), b.Dy())
	corner := b.Min.Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	to := image.NewNRGBA(image.Rect(0, 0, Side, Side))
	draw.CatmullRom.Scale(to, to.Bounds(), from, image.Rectangle{corner, corner.Add(image.Pt(side, side))}, draw.Src, nil)
	return to
}

// encode prefers PNG, which loses nothing, unless JPEG is much smaller.
func encode(m *image.NRGBA) (oauth.Picture, error) {
	var asPNG, asJPEG bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&asPNG, m); err != nil {
		return oauth.Picture{}, fmt.Errorf("encode a picture: %w", err)
	}
	if m.Opaque() {
		if err := jpeg.Encode(&asJPEG, m, &jpeg.Options{Quality: 88}); err != nil {
			return oauth.Picture{}, fmt.Errorf("encode a picture: %w", err)
		}
		if asJPEG.Len() < asPNG.Len()/2 {
			return oauth.Picture{Type: "image/jpeg", Body: asJPEG.Bytes()}, nil
		}
	}
	return oauth.Picture{Type: "image/png", Body: asPNG.Bytes()}, nil
}
