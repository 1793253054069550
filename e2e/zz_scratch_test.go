package e2e_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const scratchConfig = `
scopes:
  - {name: profile, description: "See your name, picture and email address"}
  - {name: community, description: "See the communities you belong to"}
  - {name: events, description: "See the events you attend"}
  - {name: messages, description: "Read and send messages in your name", sensitive: true}
  - {name: payments, description: "See what you bought and your invoices", sensitive: true}
  - {name: a1, description: "See your favourites"}
  - {name: a2, description: "Change your favourites"}
  - {name: a3, description: "See whom you follow"}
  - {name: a4, description: "Follow and unfollow people for you"}
  - {name: a5, description: "See your drafts"}
  - {name: a6, description: "Write drafts"}
  - {name: a7, description: "Publish articles in your name"}
  - {name: a8, description: "See the statistics of your articles"}
brand:
  name: Tidewater
limits:
  exempt: [127.0.0.0/8]
`

func TestScratch(t *testing.T) {
	c := startChromium(t)
	s := start(t, scratchConfig)
	s.ada = s.newAccount(t, "Ada Lovelace", "--admin")
	b := c.profile(t, s.url)
	var all []string
	for w := range strings.FieldsSeq("profile community events messages payments a1 a2 a3 a4 a5 a6 a7 a8") {
		all = append(all, w)
	}
	app := s.registerAs(t, s.ada.email, "Tidepool", "https://tidepool.example", "https://tidepool.example/callback", all...)
	b.ask(t, s, app)
	b.shoot(t, "zz-signin-360-light", 360, "light")
	b.shoot(t, "zz-signin-1280-dark", 1280, "dark")
	b.signIn(t, s, s.ada)
	b.ask(t, s, app, "scope", "profile events messages")
	b.shoot(t, "zz-first-360-light", 360, "light")
	b.shoot(t, "zz-first-1280-dark", 1280, "dark")
	b.shoot(t, "zz-first-1280-light", 1280, "light")
	out, err := exec.Command("python3", "-c", "import sqlite3,glob,sys;d=sqlite3.connect(glob.glob(sys.argv[1]+'/*.db')[0]);d.execute(\"update applications set privacy='https://tidepool.example/privacy',terms='https://tidepool.example/terms',verified_at=5 \");d.commit()", s.data).CombinedOutput()
	if err != nil {
		t.Fatal(string(out))
	}
	s.browser(s.ada).authorize(t, app.request("scope", "profile events messages"))
	b.ask(t, s, app, "scope", "profile events messages community payments")
	b.shoot(t, "zz-grown-1280-light", 1280, "light")
	b.shoot(t, "zz-grown-360-dark", 360, "dark")
	b.ask(t, s, app, "scope", "profile events messages", "prompt", "consent")
	b.shoot(t, "zz-again-1280-light", 1280, "light")
	b.ask(t, s, app, "scope", strings.Join(all, " "), "state", strings.Repeat("x", 10))
	b.shoot(t, "zz-many-360-light", 360, "light")
	_ = chromedp.Void{}
}
