package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/oauth2"
)

// testTyping types redirect URLs and reads what the page says of them before anything is sent.
func testTyping(t *testing.T, c *chromium, s *server) {
	b := c.signedIn(t, s, s.newAccount(t, "Tim Typing"))
	b.follow(t, "New application")
	told := func(text string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(`//*[@data-checks]//p[contains(., "` + text + `")]`)
	}
	b.fill(t, "Redirect URLs", "http://app.example/callback")
	b.do(t, told("may use http for 127.0.0.1, [::1] and localhost only"))
	b.fill(t, "Redirect URLs", "https://app.example/callback/\nhttp://localhost/callback")
	b.do(t, told("This can be registered."), told("a request without it does not match"), told("two different redirect URLs"))
	b.measure(t)
	b.fill(t, "Redirect URLs", "com.example.app:/callback")
	b.do(t, told("which only public applications may use"))
	b.choose(t, "Public")
	b.do(t, told("This can be registered."))
	b.fill(t, "Name", "Typed", "Redirect URLs", "")
	b.do(t, chromedp.WaitNotVisible(chromedp.CSS("[data-checks]")))
	b.press(t, "Create application")
	if on := obtain(t, b, chromedp.Evaluate[string](`document.activeElement.id`)); on != "redirect_uris" {
		t.Errorf("the form that came back begins on %q, want the field that is wrong", on)
	}
}

// testPressing gets an answer that would move the button while the mouse is down on it.
func testPressing(t *testing.T, c *chromium, s *server) {
	b := c.signedIn(t, s, s.newAccount(t, "Petra Pressing"))
	b.follow(t, "New application")
	b.fill(t, "Name", "Pressed", "Redirect URLs", "https://app.example/callback")
	b.do(t, chromedp.WaitVisible(`//*[@data-checks]//p[contains(., "This can be registered.")]`), chromedp.ScrollIntoView(button("Create application")))
	at := obtain(t, b, chromedp.Evaluate[struct{ X, Y float64 }](
		`(r => ({x: r.x + r.width / 2, y: r.y + r.height / 2}))(document.querySelector("main form button:not([name])").getBoundingClientRect())`))
	b.do(t, chromedp.MouseEvent(chromedp.MousePressed, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	obtain(t, b, chromedp.Evaluate[bool](`redirect_uris.value += " https://app.example/other/"; redirect_uris.dispatchEvent(new Event("input"))`))
	obtain(t, b, chromedp.Poll[bool](`document.querySelector("[data-checks]").ariaBusy === "false"`))
	b.load(t, chromedp.MouseEvent(chromedp.MouseReleased, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	b.reads(t, "Pressed", "Token endpoint")
}

// testStart follows the authorize link of a new application, and runs the code that stands beside.
func testStart(t *testing.T, c *chromium, s *server) {
	for name, kind := range map[string]string{"a confidential application": "Confidential", "a public application": "Public"} {
		t.Run(name, func(t *testing.T) {
			l := newLanding(t)
			person := s.newAccount(t, "Stella Start")
			b := c.signedIn(t, s, person, l.URL)
			b.follow(t, "New application")
			b.fill(t, "Name", "Starter", "Redirect URLs", l.URL+"/callback?it's=$HOME")
			b.choose(t, kind)
			b.press(t, "Create application")
			app := application{ClientID: obtain(t, b, chromedp.Text(chromedp.ID("client_id"))), redirect: l.URL + "/callback?it's=$HOME"}
			if kind == "Confidential" {
				app.ClientSecret = obtain(t, b, chromedp.Text(chromedp.ID("client_secret")))
				s.vault.add("client secret", app.ClientSecret)
			}
			code := map[string]string{}
			for _, language := range []string{"curl", "JavaScript", "Go", "PHP", "Python"} {
				// As a person goes from one to the next with the arrow keys.
				b.do(t, click(`//label[.="`+language+`"]`))
				id := "code-" + strings.ToLower(language)
				code[language] = obtain(t, b, chromedp.Text(chromedp.ID(id), chromedp.NodeVisible))
				b.measure(t)
			}
			b.printsAll(t)
			b.follow(t, "Open it")
			b.press(t, "Allow")
			if got := l.arrived(t); !tokenShape.MatchString(got.Get("code")) || got.Get("state") != "example-state" {
				t.Errorf("the link of the page brings %v", got)
			}
			snippets := &snippets{s: s, app: app, person: person, code: code}
			snippets.runJavaScript(t)
			if kind == "Public" {
				snippets.runInBrowser(t, b)
			}
			snippets.runPython(t)
			snippets.runCurl(t)
			snippets.runGo(t)
			snippets.lintPHP(t)
		})
	}
}

// snippets is the code that the page of an application shows.
type snippets struct {
	s      *server
	app    application
	person account
	code   map[string]string
}

// agree opens an authorization request that code has made, and returns the code that it brings.
func (n *snippets) agree(t *testing.T, request string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(request))
	if err != nil || !strings.HasPrefix(request, n.s.url+"/") {
		t.Fatalf("the code sends people to %q: %v", request, err)
	}
	return n.s.browser(n.person).authorize(t, u.Query()).Query().Get("code")
}

// run executes a program on the code in a folder of its own, with the secret in the environment.
func (n *snippets) run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CLIENT_SECRET="+n.app.ClientSecret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func (n *snippets) write(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, name), content)
	return dir
}

// checkMe demands that the last line tells who the person is.
func (n *snippets) checkMe(t *testing.T, language, out string) {
	t.Helper()
	if !strings.Contains(out, n.person.email) {
		t.Errorf("the %s of the page ends with:\n%s", language, out)
	}
}

func (n *snippets) runJavaScript(t *testing.T) {
	t.Helper()
	dir := n.write(t, "login.mjs", n.code["JavaScript"])
	begun := strings.Fields(n.run(t, dir, "node", "-e", `import("./login.mjs").then(async ({ begin }) => { const b = await begin(); console.log(b.url, b.verifier); })`))
	n.checkMe(t, "JavaScript", n.run(t, dir, "node", "-e",
		`import("./login.mjs").then(async ({ finish, refresh, me }) => {
			const first = await finish(process.argv[1], process.argv[2]);
			const second = await refresh(first.refresh_token);
			await me("dead").then(() => { throw new Error("a dead token is accepted"); }, (e) => { if (!e.message.startsWith("invalid_token: ")) throw e; });
			console.log(await me(second.access_token));
		})`, n.agree(t, begun[0]), begun[1]))
}

// runInBrowser runs the JavaScript on a page of the application.
func (n *snippets) runInBrowser(t *testing.T, b *tab) {
	t.Helper()
	run := func(calls string) []string {
		script := fmt.Sprintf(`import("data:text/javascript," + encodeURIComponent(%q)).then(async ({ begin, finish, refresh, me }) => { %s })`, n.code["JavaScript"], calls)
		return obtain(t, b, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	}
	begun := run(`const b = await begin(); return [b.url, b.verifier];`)
	n.checkMe(t, "JavaScript", strings.Join(run(fmt.Sprintf(
		`const first = await finish(%q, %q), second = await refresh(first.refresh_token); return [(await me(second.access_token)).email];`,
		n.agree(t, begun[0]), begun[1])), " "))
}

func (n *snippets) runPython(t *testing.T) {
	t.Helper()
	if exec.Command("python3", "-c", "import requests").Run() != nil {
		t.Log("the Python is not run: there is no python3 with requests")
		return
	}
	dir := n.write(t, "login.py", n.code["Python"])
	begun := strings.Fields(n.run(t, dir, "python3", "-c", "import login; print(*login.begin())"))
	n.checkMe(t, "Python", n.run(t, dir, "python3", "-c",
		`import login, sys
try:
    login.me("dead")
    sys.exit("a dead token is accepted")
except RuntimeError:
    pass
print(login.me(login.refresh(login.finish(*sys.argv[1:])["refresh_token"])["access_token"]))`,
		n.agree(t, begun[0]), begun[2]))
}

// runCurl runs the shell up to the request, lets the person agree, and then the rest.
func (n *snippets) runCurl(t *testing.T) {
	t.Helper()
	for _, program := range []string{"sh", "curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("the shell is not run: there is no %s", program)
			return
		}
	}
	ask, rest, _ := strings.Cut(n.code["curl"], "\n# 3.")
	exchange, rest, _ := strings.Cut(rest, "\n# 4.")
	call, again, _ := strings.Cut(rest, "\n# 5.")
	begun := strings.Fields(n.run(t, t.TempDir(), "sh", "-ec", ask+"\necho $VERIFIER"))
	tokens := n.run(t, t.TempDir(), "sh", "-ec", "CODE=$1 VERIFIER=$2\n#"+strings.ReplaceAll(exchange, "curl ", "curl -s "), "-", n.agree(t, begun[0]), begun[1])
	access, refresh := member(tokens, "access_token"), member(tokens, "refresh_token")
	n.checkMe(t, "curl", n.run(t, t.TempDir(), "sh", "-ec", "ACCESS_TOKEN=$1\n#"+call, "-", access))
	if got := n.run(t, t.TempDir(), "sh", "-ec", "REFRESH_TOKEN=$1\n#"+again, "-", refresh); member(got, "access_token") == "" {
		t.Errorf("the curl of the page refreshes to:\n%s", got)
	}
}

// member is the value of a string in a JSON object that has no quotes in its strings.
func member(json, name string) string {
	_, rest, _ := strings.Cut(json, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// goOn is run twice: before and after the person agrees.
const goOn = `package login

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestLogin(t *testing.T) {
	code, verifier := os.Getenv("CODE"), os.Getenv("VERIFIER")
	if code == "" {
		fmt.Println(Begin("example-state", verifier))
		return
	}
	token, err := Finish(t.Context(), code, verifier)
	if err != nil {
		t.Fatal(err)
	}
	token.Expiry = time.Now().Add(-time.Hour)
	var kept *oauth2.Token
	client := Client(token, func(next *oauth2.Token) error {
		kept = next
		return nil
	})
	answer, err := Me(client)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kept == nil || kept.RefreshToken == "" || kept.RefreshToken == token.RefreshToken {
		t.Errorf("stored %v", kept)
	}
	_, _ = io.Copy(os.Stdout, answer.Body)
}
`

func (n *snippets) runGo(t *testing.T) {
	t.Helper()
	// Inside this module, so that golang.org/x/oauth2 is found.
	dir, err := os.MkdirTemp(".", "testdata-snippet-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	write(t, filepath.Join(dir, "login.go"), n.code["Go"])
	n.run(t, ".", "go", "vet", "./"+dir)
	if unformatted := n.run(t, dir, "gofmt", "-l", "."); unformatted != "" {
		t.Errorf("gofmt would change the Go of the page:\n%s", n.code["Go"])
	}
	write(t, filepath.Join(dir, "login_test.go"), goOn)
	verifier := oauth2.GenerateVerifier()
	begun := n.run(t, ".", "env", "VERIFIER="+verifier, "go", "test", "-count=1", "-v", "./"+dir)
	_, request, _ := strings.Cut(begun, n.s.url)
	request, _, _ = strings.Cut(n.s.url+request, "\n")
	n.checkMe(t, "Go", n.run(t, ".", "env", "VERIFIER="+verifier, "CODE="+n.agree(t, request), "go", "test", "-count=1", "-v", "./"+dir))
}

func (n *snippets) lintPHP(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("php"); err != nil {
		t.Log("the PHP is not looked at: there is no php")
		return
	}
	n.run(t, n.write(t, "login.php", n.code["PHP"]), "php", "-l", "login.php")
}

// keyTo presses the Tab key until the focus is on the element that people call by this name.
func (b *tab) keyTo(t *testing.T, name string) {
	t.Helper()
	const called = `(e => e.getAttribute("aria-label") || (e.labels && e.labels.length ? e.labels[0].innerText : e.innerText) || "")(document.activeElement).trim()`
	for range 60 {
		b.do(t, chromedp.KeyEvent(kb.Tab))
		if at := obtain(t, b, chromedp.Evaluate[string](called)); at == name || strings.HasPrefix(at, name+" ") {
			return
		}
	}
	t.Fatalf("the Tab key does not reach %q\n%s", name, b.scene())
}

// enterOn presses the Enter key on the element of this name, and waits for the page that it leads to.
func (b *tab) enterOn(t *testing.T, name string) {
	t.Helper()
	b.keyTo(t, name)
	b.load(t, chromedp.KeyEvent(kb.Enter))
}

func testKeyboard(t *testing.T, c *chromium, s *server) {
	person := s.newAccount(t, "Kay Board")
	b := c.signedIn(t, s, person)
	b.enterOn(t, "New application")
	b.keyTo(t, "Name")
	b.do(t, paste("Piano"))
	b.keyTo(t, "Redirect URLs")
	b.do(t, paste("https://piano.example/callback"))
	b.keyTo(t, "events")
	b.do(t, chromedp.KeyEvent(" "))
	b.enterOn(t, "Create application")
	s.vault.add("client secret", obtain(t, b, chromedp.Text(chromedp.ID("client_secret"))))
	b.keyTo(t, "curl")
	b.do(t, chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	b.reads(t, "golang.org/x/oauth2")
	b.open(t, b.at(t))
	b.enterOn(t, "Try it")
	b.enterOn(t, "Send it: open the consent page")
	b.enterOn(t, "Allow")
	b.enterOn(t, "Exchange the code")
	b.reads(t, "HTTP/1.1 200 OK", "access_token")
	b.enterOn(t, "Call the API")
	b.reads(t, person.email)
	b.enterOn(t, "Refresh")
	b.enterOn(t, "Revoke")
	b.enterOn(t, "Call the API")
	b.reads(t, "HTTP/1.1 401 Unauthorized")
	b.enterOn(t, "Start again")
	b.enterOn(t, "Send it: open the consent page")
	b.enterOn(t, "Cancel")
	b.reads(t, "access_denied")
}

func testTryWithoutScripts(t *testing.T, c *chromium, s *server) {
	person := s.newAccount(t, "Nora Script")
	app := s.register(t, registration{owner: person.email, public: true})
	b := c.profile(t, s.url)
	b.withoutScripts(t)
	b.signIn(t, s, person)
	b.open(t, s.url+app.path()+"/try")
	b.follow(t, "Send it: open the consent page")
	b.press(t, "Allow")
	b.press(t, "Exchange the code")
	b.press(t, "Call the API")
	b.reads(t, person.email)
	b.press(t, "Revoke")
	b.reads(t, "HTTP/1.1 200 OK")
}

func testSearch(t *testing.T, c *chromium, s *server) {
	person := s.newAccount(t, "Sue Search")
	for range 8 {
		s.registerAs(t, person.email, unbroken, "", callback)
	}
	b := c.signedIn(t, s, person)
	b.do(t, chromedp.Focus(`//input[@name="q"]`), paste("wwww"))
	b.press(t, "Search")
	b.reads(t, unbroken)
	b.do(t, chromedp.Focus(`//input[@name="q"]`), paste("x"))
	b.press(t, "Search")
	b.reads(t, "Nothing was found.")
}

// TestRedirectURIsAreCheckedForThoseSignedIn asks the address that the script asks.
func TestRedirectURIsAreCheckedForThoseSignedIn(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	ask := func(client *http.Client, uri, public string) (int, string) {
		return fetch(t, client, s.url+"/settings/applications/check-redirect-uri?uri="+url.QueryEscape(uri)+"&public="+public)
	}
	for uri, want := range map[string]string{
		"https://app.example/callback":  `"good":"This can be registered."`,
		"http://app.example/":           `"problem":"A redirect URL may use http`,
		"https://app.example/#x":        `"problem":"A redirect URL must have no fragment`,
		"http://localhost:1/":           `"advice":["localhost and 127.0.0.1 are`,
		"com.example.app:/callback":     `"problem":"It has a scheme of its own`,
		"https://App.example/":          `capital letters`,
		"https://app.example":           `It ends with the host`,
		"https://app.example/x?y=z":     `byte for byte`,
		"https://app.example/?code=1":   `must not have the parameter code`,
		"https://app.example/<script>":  `"problem":"It has a character`,
		"  https://app.example/space  ": `"uri":"https://app.example/space"`,
	} {
		if status, body := ask(s.session.client, uri, "false"); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s is answered %d %s, want %s", uri, status, body, want)
		}
	}
	if _, body := ask(s.session.client, "com.example.app:/callback", "true"); !strings.Contains(body, "can be registered") {
		t.Errorf("a public application is told: %s", body)
	}
	if status, body := ask(s.client, "https://app.example/", "false"); status != http.StatusSeeOther || strings.Contains(body, "registered") {
		t.Errorf("somebody who is not signed in is answered %d %s", status, body)
	}
}
