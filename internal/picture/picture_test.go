package picture_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/picture"
)

var red, blue = color.NRGBA{R: 230, A: 255}, color.NRGBA{B: 230, A: 255}

// banner is a blue picture with a red square in its middle.
func banner(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	side := min(width, height)
	middle := image.Rect(0, 0, side, side).Add(image.Pt((width-side)/2, (height-side)/2))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, blue)
			if image.Pt(x, y).In(middle) {
				m.SetNRGBA(x, y, red)
			}
		}
	}
	return m
}

func asPNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asGIF(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// banner as Chromium writes it; Go has no encoder of WebP.
//
//go:embed testdata/banner.webp
var webpBanner []byte

func near(a color.Color, b color.NRGBA) bool {
	c := color.NRGBAModel.Convert(a).(color.NRGBA)
	apart := func(x, y uint8) bool { return max(x, y)-min(x, y) > 40 }
	return !apart(c.R, b.R) && !apart(c.G, b.G) && !apart(c.B, b.B) && !apart(c.A, b.A)
}

func made(t *testing.T, upload []byte) image.Image {
	t.Helper()
	p, wrong := picture.NewStudio().Make(t.Context(), upload)
	if !wrong.IsZero() {
		t.Fatal(wrong)
	}
	m, format, err := image.Decode(bytes.NewReader(p.Body))
	if err != nil || "image/"+format != p.Type {
		t.Fatalf("the picture is %s, said to be %s: %v", format, p.Type, err)
	}
	if m.Bounds() != image.Rect(0, 0, picture.Side, picture.Side) {
		t.Fatalf("the picture measures %v", m.Bounds())
	}
	return m
}

func TestTheMiddleOfAnUploadBecomesASquare(t *testing.T) {
	for name, upload := range map[string][]byte{
		"a wide PNG":   asPNG(t, banner(900, 300)),
		"a tall PNG":   asPNG(t, banner(20, 100)),
		"a JPEG":       asJPEG(t, banner(640, 480)),
		"a GIF":        asGIF(t, banner(64, 32)),
		"a single dot": asPNG(t, banner(1, 1)),
		"a thin line":  asPNG(t, banner(4096, 1)),
		"16 bits":      asPNG(t, deep(banner(300, 200))),
		"a WebP":       webpBanner,
	} {
		t.Run(name, func(t *testing.T) {
			m := made(t, upload)
			for _, at := range []image.Point{{3, 3}, {128, 128}, {252, 252}} {
				if !near(m.At(at.X, at.Y), red) {
					t.Errorf("%v is %v", at, m.At(at.X, at.Y))
				}
			}
		})
	}
}

func deep(m image.Image) image.Image {
	d := image.NewNRGBA64(m.Bounds())
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			d.Set(x, y, m.At(x, y))
		}
	}
	return d
}

func TestTransparencyStays(t *testing.T) {
	if m := made(t, asPNG(t, image.NewNRGBA(image.Rect(0, 0, 30, 30)))); !near(m.At(9, 9), color.NRGBA{}) {
		t.Errorf("a transparent pixel became %v", m.At(9, 9))
	}
}

func TestAPhotographIsKeptSmall(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 800, 800))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		if m.Pix[i] = uint8(random.Uint32()); i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	upload := asJPEG(t, m)
	p, wrong := picture.NewStudio().Make(t.Context(), upload)
	if !wrong.IsZero() || p.Type != "image/jpeg" || len(p.Body) > 100_000 {
		t.Errorf("it became %s of %d bytes: %v", p.Type, len(p.Body), wrong)
	}
}

// exif puts an orientation before the pixels of a JPEG, and a place that nobody should
// learn.
func exif(raw []byte, order binary.ByteOrder, orientation uint16) []byte {
	tiff := []byte("MM")
	if order == binary.LittleEndian {
		tiff = []byte("II")
	}
	for _, v := range []any{uint16(42), uint32(8), uint16(1), uint16(0x0112), uint16(3), uint32(1), orientation, uint16(0), uint32(0)} {
		tiff, _ = binary.Append(tiff, order, v)
	}
	segment := append([]byte("Exif\x00\x00"), append(tiff, "GPS 52.5200 13.4050"...)...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(segment)+2))
	return append(append(head, segment...), raw[2:]...)
}

func TestAPhotographIsTurnedUpright(t *testing.T) {
	// Where the red corner of the file is when the picture is upright.
	const left, right, top, bottom = 30, 226, 30, 226
	for orientation, corner := range map[uint16]image.Point{
		0: {left, top}, 1: {left, top}, 2: {right, top}, 3: {right, bottom}, 4: {left, bottom},
		6: {right, top}, 8: {left, bottom}, 9: {left, top}, 5: {left, top}, 7: {right, bottom},
	} {
		m := image.NewNRGBA(image.Rect(0, 0, 400, 400))
		for y := range 400 {
			for x := range 400 {
				if m.SetNRGBA(x, y, blue); x < 150 && y < 150 {
					m.SetNRGBA(x, y, red)
				}
			}
		}
		for _, order := range []binary.ByteOrder{binary.BigEndian, binary.LittleEndian} {
			got := made(t, exif(asJPEG(t, m), order, orientation))
			for _, at := range []image.Point{{left, top}, {right, top}, {left, bottom}, {right, bottom}} {
				if want := map[bool]color.NRGBA{true: red, false: blue}[at == corner]; !near(got.At(at.X, at.Y), want) {
					t.Errorf("orientation %d: %v is %v", orientation, at, got.At(at.X, at.Y))
				}
			}
		}
	}
}

func TestNothingThatWasHiddenInTheFileStays(t *testing.T) {
	p, wrong := picture.NewStudio().Make(t.Context(), exif(asJPEG(t, banner(300, 300)), binary.BigEndian, 1))
	if !wrong.IsZero() || bytes.Contains(p.Body, []byte("GPS")) {
		t.Errorf("the place is still in the picture: %v", wrong)
	}
}

// claiming is a PNG whose head says that it is so large.
func claiming(t *testing.T, width, height uint32) []byte {
	raw := asPNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(raw[16:], width)
	binary.BigEndian.PutUint32(raw[20:], height)
	binary.BigEndian.PutUint32(raw[29:], crc32.ChecksumIEEE(raw[12:29]))
	return raw
}

func TestWhatIsRefused(t *testing.T) {
	progressive := asJPEG(t, banner(16, 16))
	i := bytes.Index(progressive, []byte{0xff, 0xc0})
	progressive[i+1] = 0xc2
	copy(progressive[i+5:], []byte{0x0f, 0xff, 0x0f, 0xff}) // 4095 x 4095
	progressive[i+11] = 0x11                                // all colours of each pixel
	for name, c := range map[string]struct {
		upload []byte
		want   string
	}{
		"no picture":           {[]byte("hello"), "cannot be read"},
		"nothing":              {nil, "cannot be read"},
		"a drawing":            {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "cannot be read"},
		"a picture cut off":    {asPNG(t, banner(300, 300))[:200], "cannot be read"},
		"a large file":         {append(asPNG(t, banner(9, 9)), bytes.Repeat([]byte{0}, 2<<20)...), "2 MB"},
		"too wide":             {claiming(t, 4097, 1), "4097 × 1"},
		"too high":             {claiming(t, 1, 5000), "1 × 5000"},
		"a bomb":               {claiming(t, 1<<15, 1<<15), "too many pixels"},
		"no pixels":            {claiming(t, 0, 9), "cannot be read"},
		"a progressive giant":  {progressive, "too many pixels"},
		"pixels that are lies": {claiming(t, 4096, 4096), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			p, wrong := picture.NewStudio().Make(t.Context(), c.upload)
			if p.Body != nil || !strings.Contains(wrong.String(), c.want) {
				t.Errorf("it says %q", wrong)
			}
		})
	}
}

// passes is a progressive JPEG whose pixels are gone over so many times, each time for
// nothing.
func passes(t *testing.T, n int) []byte {
	t.Helper()
	table := func(class, symbol byte) []byte {
		// One code, of one bit.
		return append(append([]byte{0xff, 0xc4, 0, 20, class, 1}, make([]byte, 15)...), symbol)
	}
	raw := []byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}
	raw = append(raw, bytes.Repeat([]byte{1}, 64)...)
	raw = append(raw, 0xff, 0xc2, 0, 11, 8, 0, 64, 0, 64, 1, 1, 0x11, 0)
	raw = append(raw, table(0x00, 0)...)
	raw = append(raw, table(0x10, 0xe0)...)
	for range n {
		// Nothing in the next 32767 blocks.
		raw = append(raw, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0b01111111, 0b11111111, 0)
	}
	return append(raw, 0xff, 0xd9)
}

func TestAPictureMakesFewPassesOverItsPixels(t *testing.T) {
	for n, refused := range map[int]bool{10: false, 64: false, 65: true, 100_000: true} {
		if _, wrong := picture.NewStudio().Make(t.Context(), passes(t, n)); wrong.IsZero() == refused {
			t.Errorf("%d passes: %v", n, wrong)
		}
	}
}

func TestWhoeverWaitsTooLongForATurnIsTold(t *testing.T) {
	studio := picture.NewStudio()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	upload := asPNG(t, banner(9, 9))
	told := false
	// With a turn free, either may come first.
	for range 100 {
		_, wrong := studio.Make(ctx, upload)
		told = told || !wrong.IsZero()
	}
	if !told {
		t.Error("nobody was told to wait")
	}
}

func form(t *testing.T, fill func(*multipart.Writer)) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	fill(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func put(t *testing.T, w *multipart.Writer, name, file string, content []byte) {
	t.Helper()
	part, err := w.CreateFormFile(name, file)
	if err == nil {
		_, err = part.Write(content)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFormIsReadWithItsFile(t *testing.T) {
	r := form(t, func(w *multipart.Writer) {
		_ = w.WriteField("name", "Ada")
		put(t, w, "other", "x.png", []byte("not asked for"))
		put(t, w, "picture", "me.png", asPNG(t, banner(9, 9)))
		_ = w.WriteField("scope", "a")
		_ = w.WriteField("scope", "b")
	})
	made, wrong := picture.NewStudio().FromForm(r, oauth.ID{1}, "picture")
	if made == nil || !wrong.IsZero() {
		t.Errorf("the picture is %v, wrong is %q", made, wrong)
	}
	if got := r.PostForm.Encode(); got != "name=Ada&scope=a&scope=b" {
		t.Errorf("the other fields are %s", got)
	}
	if got := r.PostFormValue("name"); got != "Ada" {
		t.Errorf("the name is %q", got)
	}
}

func TestAFormWithoutAFile(t *testing.T) {
	nothing := form(t, func(w *multipart.Writer) { put(t, w, "picture", "", nil) })
	plain := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("name=Ada"))
	plain.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, r := range map[string]*http.Request{"nothing chosen": nothing, "another encoding": plain} {
		if made, wrong := picture.NewStudio().FromForm(r, oauth.ID{1}, "picture"); made != nil || !wrong.IsZero() {
			t.Errorf("%s: the picture is %v, wrong is %q", name, made, wrong)
		}
	}
}

func TestAFormThatIsTooLarge(t *testing.T) {
	large := bytes.Repeat([]byte{7}, picture.MaxUpload+1)
	whole := form(t, func(w *multipart.Writer) {
		put(t, w, "picture", "me.png", large)
		_ = w.WriteField("name", "Ada")
	})
	cut := form(t, func(w *multipart.Writer) { put(t, w, "picture", "me.png", large) })
	cut.Body = http.MaxBytesReader(nil, cut.Body, 1000)
	fields := form(t, func(w *multipart.Writer) { _ = w.WriteField("name", string(large)) })
	empty := form(t, func(w *multipart.Writer) {
		for range 2000 {
			_ = w.WriteField("x", "")
		}
	})
	for name, r := range map[string]*http.Request{"the file": whole, "the body": cut, "the other fields": fields, "many empty fields": empty} {
		if made, wrong := picture.NewStudio().FromForm(r, oauth.ID{1}, "picture"); made != nil || !strings.Contains(wrong.String(), "2 MB") {
			t.Errorf("%s: the picture is %v, wrong is %q", name, made, wrong)
		}
	}
	if whole.PostFormValue("name") != "Ada" {
		t.Error("the fields behind a large file are lost")
	}
	broken := form(t, func(w *multipart.Writer) { put(t, w, "picture", "me.png", []byte("pixels")) })
	broken.Body = io.NopCloser(io.MultiReader(io.LimitReader(broken.Body, 150), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if _, wrong := picture.NewStudio().FromForm(broken, oauth.ID{1}, "picture"); !strings.Contains(wrong.String(), "did not arrive") {
		t.Errorf("a broken form: %q", wrong)
	}
}

// stuck is the body of a form that stops coming.
type stuck struct{ begun, over chan struct{} }

func (s stuck) Read([]byte) (int, error) {
	s.begun <- struct{}{}
	<-s.over
	return 0, io.ErrUnexpectedEOF
}

// slowForms are forms that stop coming until end.
func slowForms(t *testing.T, studio *picture.Studio, accounts ...oauth.ID) (end func()) {
	t.Helper()
	slow := stuck{make(chan struct{}), make(chan struct{})}
	var readers sync.WaitGroup
	for _, account := range accounts {
		r := form(t, func(w *multipart.Writer) { put(t, w, "picture", "me.png", []byte("pixels")) })
		r.Body = io.NopCloser(slow)
		readers.Go(func() { studio.FromForm(r, account, "picture") })
		<-slow.begun
	}
	return func() {
		close(slow.over)
		readers.Wait()
	}
}

func TestOnlySoManyFormsAreReadAtOnce(t *testing.T) {
	studio := picture.NewStudio()
	ada, bob, other := oauth.ID{1}, oauth.ID{2}, oauth.ID{3}
	another := func(ctx context.Context, account oauth.ID) (*oauth.Picture, oauth.Sentence) {
		r := form(t, func(w *multipart.Writer) { put(t, w, "picture", "me.png", asPNG(t, banner(9, 9))) }).WithContext(ctx)
		made, wrong := studio.FromForm(r, account, "picture")
		if n, _ := io.Copy(io.Discard, r.Body); n > 0 {
			t.Errorf("%d bytes are left of a form", n)
		}
		return made, wrong
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, c := range []struct {
		name    string
		sending []oauth.ID
		ctx     context.Context
		account oauth.ID
		read    bool
	}{
		{"two of the same account", []oauth.ID{ada, ada}, t.Context(), ada, false},
		{"two of another account", []oauth.ID{ada, ada}, t.Context(), bob, true},
		{"one of the same account", []oauth.ID{ada, bob}, t.Context(), ada, true},
		{"as many as there may be", many(16), gone, other, false},
	} {
		end := slowForms(t, studio, c.sending...)
		// With a place free, either may come first of that and a reader who has left.
		for range 20 {
			made, wrong := another(c.ctx, c.account)
			if (made != nil) != c.read || !c.read && !strings.Contains(wrong.String(), "Wait a little") {
				t.Errorf("beside %s one more is read: %v, %q", c.name, made != nil, wrong)
			}
		}
		end()
		if made, wrong := another(t.Context(), c.account); made == nil {
			t.Errorf("after %s none is read: %q", c.name, wrong)
		}
	}
}

// many are accounts of which none is another.
func many(n int) (accounts []oauth.ID) {
	for i := range n {
		accounts = append(accounts, oauth.ID{100 + byte(i)})
	}
	return accounts
}

func FuzzAnyUpload(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08"))
	f.Add([]byte("\xff\xd8\xff\xc2\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"))
	f.Add(webpBanner)
	studio := picture.NewStudio()
	f.Fuzz(func(t *testing.T, upload []byte) {
		p, wrong := studio.Make(t.Context(), upload)
		if wrong.IsZero() != (len(p.Body) > 0) {
			t.Errorf("a picture of %d bytes, and %q", len(p.Body), wrong)
		}
	})
}
