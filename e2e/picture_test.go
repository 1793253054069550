package e2e_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// dotted is a PNG of one colour, and noise behind it where it has to be large.
func dotted(t *testing.T, c color.Color, padding int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	b.Write(bytes.Repeat([]byte{'x'}, padding))
	return b.Bytes()
}

// send posts a file to a page as the form on it does.
func (b *browser) send(t *testing.T, path, field string, file []byte) *page {
	t.Helper()
	return b.do(t, b.upload(t, path, field, file))
}

func (b *browser) upload(t *testing.T, path, field string, file []byte) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile(field, "me.png")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.origin.String()+path, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req
}

func (p *page) image(id string) string {
	for img := range descendants(p.root, "img") {
		if attr(img, "id") == id {
			return attr(img, "src")
		}
	}
	return ""
}

func TestPictureOfAnAccount(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	b := s.session
	token := s.grant(t, s.register(t, registration{})).Access
	avatar := func() any {
		t.Helper()
		user, _ := s.me(t, token).object(t)["user"].(map[string]any)
		return user["avatar_url"]
	}
	if got := avatar(); got != nil {
		t.Fatalf("a new account has the picture %v", got)
	}
	p := b.send(t, "/settings/profile/picture", "picture", dotted(t, color.NRGBA{R: 200, A: 255}, 0))
	first := p.image("portrait")
	if p.status != http.StatusOK || !strings.HasPrefix(first, "/pictures/") || !strings.Contains(p.text(), "Your picture is changed.") {
		t.Fatalf("after the upload: %d, picture %q\n%s", p.status, first, p.text())
	}
	if got := avatar(); got != s.url+first {
		t.Errorf("the API tells another picture than %s", first)
	}
	s.checkPicture(t, first)

	// Names change without the picture.
	b.press(t, p, "Save", "name", "Ada Again")
	if got := avatar(); got != s.url+first {
		t.Error("the picture is lost with a change of the name")
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"none":                        {nil, "Choose a picture first."},
		"a text":                      {[]byte("<script>alert(1)</script>"), "cannot be read"},
		"more than 2 MB":              {dotted(t, color.Black, 2<<20), "at most 2 MB"},
		"a photograph of a new phone": {dotted(t, color.Black, 12<<20), "at most 2 MB"},
	} {
		p := b.send(t, "/settings/profile/picture", "picture", c.file)
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(), c.want) || p.image("portrait") != first {
			t.Errorf("%s: %d\n%s", name, p.status, p.text())
		}
	}
	second := b.send(t, "/settings/profile/picture", "picture", dotted(t, color.White, 0)).image("portrait")
	if status := s.status(t, first); status != http.StatusNotFound || second == first {
		t.Errorf("the first picture is still there: %d", status)
	}
	p = b.press(t, b.open(t, "/settings/profile"), "Remove picture")
	if status := s.status(t, second); status != http.StatusNotFound || avatar() != nil || p.offers("Remove picture") {
		t.Errorf("the picture is not removed: %d\n%s", status, p.text())
	}
}

func (s *server) status(t *testing.T, path string) int {
	t.Helper()
	return s.do(t, get(path, "")).status
}

// checkPicture demands what makes it safe to show a picture on every site.
func (s *server) checkPicture(t *testing.T, path string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		res := s.do(t, message{method: method, path: path})
		if res.status != http.StatusOK || (len(res.body) > 0) != (method == http.MethodGet) {
			t.Errorf("%s answers %d with %d bytes", method, res.status, len(res.body))
		}
		for name, want := range map[string]string{
			"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
			"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "cross-origin", "Set-Cookie": "",
		} {
			if got := res.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
	}
	for _, wrong := range []string{"/pictures/", "/pictures/me.png", path[:len(path)-1], strings.ToUpper(path[1:]), path + "/x"} {
		if status := s.status(t, "/"+strings.TrimPrefix(wrong, "/")); status != http.StatusNotFound {
			t.Errorf("%s answers %d", wrong, status)
		}
	}
}

func TestOnlyFormsWithPicturesMayBeLarge(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	b := s.session
	p := b.open(t, "/settings/profile")
	form, save := p.button("Save")
	values := asLoaded(form)
	for padding, want := range map[int]int{1 << 10: http.StatusOK, 100 << 10: http.StatusBadRequest} {
		values.Set("padding", strings.Repeat("x", padding))
		req := b.post(t, p, form, save, values)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		if got := b.do(t, req); got.status != want {
			t.Errorf("a form with %d bytes more is answered %d, want %d", padding, got.status, want)
		}
	}
	// What is no form with a file may be no larger than others, whoever sends it.
	values = url.Values{"picture": {strings.Repeat("x", 100<<10)}}
	if p := s.browser(account{}).submit(t, "/settings/profile/picture", values); p.status != http.StatusBadRequest {
		t.Errorf("a large form of another type is answered %d", p.status)
	}
	// Nobody who is not signed in has a picture.
	if p := s.browser(account{}).send(t, "/settings/profile/picture", "picture", dotted(t, color.Black, 4<<20)); p.url.Path != "/sign-in" {
		t.Errorf("a stranger's picture leads to %s", p.url.Path)
	}
}

func TestUploadsAreCountedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	_, b := s.signedIn(t, "Uma Upload")
	for range 20 {
		b.send(t, "/settings/profile/picture", "picture", nil).reads(t, http.StatusUnprocessableEntity, "Choose a picture first.")
	}
	refused := b.send(t, "/settings/profile/picture", "picture", dotted(t, color.Black, 4<<20))
	refused.reads(t, http.StatusTooManyRequests, "There were too many attempts.")
	if refused.header.Get("Retry-After") == "" {
		t.Error("nobody is told when to come back")
	}
}

func TestAPictureOfSomebodyWhoWasSignedOutMeanwhileIsNotKept(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	person, b := s.signedIn(t, "Lena Late")
	elsewhere := s.signIn(t, person)
	end := elsewhere.submission(t, elsewhere.open(t, "/settings/security"), "Sign out everywhere else")
	first := b.send(t, "/settings/profile/picture", "picture", dotted(t, color.White, 0)).image("portrait")
	p := b.sendMeanwhile(t, "/settings/profile/picture", "picture", dotted(t, color.Black, 0), elsewhere, end)
	p.reads(t, http.StatusOK, "You were signed out meanwhile. Nothing was changed.")
	if got := b.signIn(t, p).image("portrait"); got != first || first == "" {
		t.Errorf("the picture was %q and is %q", first, got)
	}
}

// sendMeanwhile is send, and before the server has anything of the file, but knows who sends it,
// it is sent a form by another browser.
func (b *browser) sendMeanwhile(t *testing.T, path, field string, file []byte, other *browser, form *http.Request) *page {
	t.Helper()
	form.Header.Set("Sec-Fetch-Site", "same-origin")
	req := b.upload(t, path, field, file)
	// The server asks for the file when it has found out who sends it.
	req.Header.Set("Expect", "100-continue")
	b.client.Transport = &http.Transport{ExpectContinueTimeout: patience}
	t.Cleanup(b.client.CloseIdleConnections)
	content := req.Body
	req.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) {
		if form != nil {
			res, err := other.client.Do(form)
			if err != nil {
				return 0, err
			}
			res.Body.Close()
			form = nil
		}
		return content.Read(p)
	}))
	return b.do(t, req)
}

// readerFunc is a function that reads.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
