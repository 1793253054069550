// Package account is about people: signing up and in, passwords, profiles and
// the sessions of their browsers. What they approve lives in internal/grant, and
// how a browser carries a session in internal/signin.
package account

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Config is what the operator decides about accounts.
type Config struct {
	// SessionLifetime is how long a session lives that is not used.
	SessionLifetime time.Duration
	// SignUp tells whether people may create accounts themselves.
	SignUp bool
	// Exempt are client addresses that no throttle counts.
	Exempt throttle.Exempt
}

// Accounts knows the accounts of one store.
type Accounts struct {
	store  *store.Store
	random io.Reader
	now    func() time.Time
	config Config
	hasher *hasher

	signInsByAddress, signUpsByAddress *throttle.Throttle
	// guesses are wrong passwords of those who sign in, oldPasswords those of somebody who is
	// signed in and changes the password.
	guesses      guesses
	oldPasswords *throttle.Throttle
	// acts are what an account does: most of it leaves a line in the audit log, which is kept
	// for ever.
	acts *throttle.Throttle
}

// New makes the accounts of a store.
func New(s *store.Store, random io.Reader, now func() time.Time, config Config) (*Accounts, error) {
	const parallel = 4
	h, err := newHasher(random, parallel)
	if err != nil {
		return nil, err
	}
	return &Accounts{
		store: s, random: random, now: now, config: config, hasher: h,
		signInsByAddress: throttle.New(30, 10*time.Second, config.Exempt, now),
		signUpsByAddress: throttle.New(20, 3*time.Minute, config.Exempt, now),
		guesses:          newGuesses(config.Exempt, now),
		oldPasswords:     throttle.New(10, 30*time.Second, config.Exempt, now),
		acts:             throttle.New(120, 5*time.Second, config.Exempt, now),
	}, nil
}

// Problem is what a person can mend in a form.
type Problem = oauth.Problem

// ErrNotFound: there is no such account, or nobody is signed in.
var ErrNotFound = store.ErrNotFound

// ErrSignedOut: the session of whoever acts has ended meanwhile.
var ErrSignedOut = store.ErrSignedOut

// ErrSignUpClosed: the operator creates the accounts.
var ErrSignUpClosed = errors.New("this server does not let people create accounts themselves")

// SignUpOpen reports whether people may create accounts themselves.
func (a *Accounts) SignUpOpen() bool { return a.config.SignUp }

// Registration is what a new account is made of.
type Registration struct {
	Email, Name, Password string
	// Username may be empty; then one is made from the name.
	Username      string
	Administrator bool
}

// Wrong is all that is wrong with what was typed, nil for nothing. What the store would refuse
// is not among it.
func (r Registration) Wrong() *Problem {
	_, _, wrong := r.clean()
	return wrong
}

func (r Registration) clean() (email, name string, wrong *Problem) {
	email, ofEmail := cleanEmail(r.Email)
	name, ofName := cleanName(r.Name)
	var ofUsername *Problem
	if r.Username != "" {
		ofUsername = checkUsername(r.Username)
	}
	return email, name, oauth.Together(ofEmail, ofName, ofUsername, refusePassword(r.Password, email, name, r.Username))
}

// SignUp creates an account for a person and starts its session. The error is a
// *Problem where the person can mend it, or ErrSignUpClosed.
func (a *Accounts) SignUp(ctx context.Context, r Registration, b Browser) (Entry, error) {
	if !a.config.SignUp {
		return Entry{}, ErrSignUpClosed
	}
	if tooMany := take(a.signUpsByAddress, throttle.Network(b.Address), b.Address); tooMany != nil {
		return Entry{}, tooMany
	}
	r.Administrator = false
	made, password, err := a.create(ctx, r, func(n oauth.Account, password string) error {
		return a.store.CreateAccount(acting(ctx, n, b), n, password)
	})
	if err != nil {
		return Entry{}, err
	}
	return a.enter(ctx, made, password, b)
}

// Create adds an account. The error is a *Problem where the input is wrong.
func (a *Accounts) Create(ctx context.Context, r Registration) (oauth.Account, error) {
	made, _, err := a.create(ctx, r, func(n oauth.Account, password string) error { return a.store.CreateAccount(ctx, n, password) })
	return made, err
}

// create makes an account, which insert adds to the store with the hash of its password, under
// a username made from its name where it has none. It also returns that hash.
func (a *Accounts) create(ctx context.Context, r Registration, insert func(n oauth.Account, password string) error) (made oauth.Account, password string, err error) {
	email, name, wrong := r.clean()
	if wrong != nil {
		return made, "", wrong
	}
	now := a.now().UTC()
	made = oauth.Account{Email: email, Username: r.Username, Name: name, Administrator: r.Administrator, CreatedAt: now}
	if password, err = a.hasher.hash(ctx, r.Password); err != nil {
		return made, "", err
	}
	if made.ID, err = oauth.NewID(a.random, now); err != nil {
		return made, "", err
	}
	for attempt := 0; ; attempt++ {
		if r.Username == "" {
			made.Username = usernameFrom(made, attempt)
		}
		err = insert(made, password)
		if errors.Is(err, store.ErrUsernameTaken) && r.Username == "" && attempt < 2 {
			continue
		}
		return made, password, takenProblem(err)
	}
}

// usernameFrom makes a username from the name; later attempts add to it from the
// account's random id.
func usernameFrom(n oauth.Account, attempt int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(n.Name) {
		if (r >= 'a' && r <= 'z' || r >= '0' && r <= '9') && b.Len() < maxUsername-9 {
			b.WriteRune(r)
		}
	}
	if b.Len() < minUsername {
		b.WriteString("user")
		attempt = max(attempt, 1)
	}
	random := n.ID.String()
	switch attempt {
	case 0:
		return b.String()
	case 1:
		return b.String() + "-" + random[32:]
	}
	return b.String() + "-" + random[28:]
}

func takenProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrEmailTaken):
		return &Problem{Field: "email", Message: oauth.Say("There is an account with this email address already.")}
	case errors.Is(err, store.ErrUsernameTaken):
		return &Problem{Field: "username", Message: oauth.Say("This username is taken.")}
	}
	return err
}

const maxEmail = 254

func cleanEmail(s string) (string, *Problem) {
	s = strings.TrimSpace(s)
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Address != s || len(s) > maxEmail || strings.ContainsFunc(s, oauth.IsInvisible) {
		return "", &Problem{Field: "email", Message: oauth.Say("Enter an email address, such as ada@example.com.")}
	}
	return s, nil
}

func cleanName(s string) (string, *Problem) {
	name, wrong := oauth.CleanName(s)
	if !wrong.IsZero() {
		return "", &Problem{Field: "name", Message: wrong}
	}
	return name, nil
}

const minUsername, maxUsername = 2, 32

func checkUsername(s string) *Problem {
	valid := len(s) >= minUsername && len(s) <= maxUsername
	for i := range len(s) {
		c := s[i]
		valid = valid && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '_' || c == '-' || c == '.'))
	}
	if !valid {
		return &Problem{Field: "username", Message: oauth.Say(
			"Use %d to %d lower-case letters, digits, dots, hyphens and underscores, beginning with a letter or digit.", minUsername, maxUsername)}
	}
	return nil
}

// Find looks an account up by email address, id or username.
func (a *Accounts) Find(ctx context.Context, reference string) (oauth.Account, error) {
	var found oauth.Account
	var err error
	if id, ok := oauth.ParseID(reference); ok {
		found, err = a.store.Account(ctx, id)
	} else if strings.Contains(reference, "@") {
		found, _, err = a.store.AccountByEmail(ctx, reference)
	} else {
		found, err = a.store.AccountByUsername(ctx, reference)
	}
	if errors.Is(err, store.ErrNotFound) {
		return oauth.Account{}, unknown(reference)
	}
	return found, err
}

// unknown is what no account is called. It is a store.ErrNotFound that a person can read.
type unknown string

func (u unknown) Error() string { return "there is no account " + string(u) }

// Unwrap tells what it is to the program.
func (u unknown) Unwrap() error { return store.ErrNotFound }

// All lists all accounts, the oldest first.
func (a *Accounts) All(ctx context.Context) ([]oauth.Account, error) { return a.store.Accounts(ctx) }

// Profile is what people change of their own account.
type Profile struct{ Name, Username string }

// ChangeProfile changes an account. The error is a *Problem where the person can
// mend it.
func (a *Accounts) ChangeProfile(ctx context.Context, account oauth.Account, p Profile) error {
	name, ofName := cleanName(p.Name)
	if wrong := oauth.Together(ofName, checkUsername(p.Username)); wrong != nil {
		return wrong
	}
	account.Name, account.Username = name, p.Username
	return takenProblem(a.store.ChangeProfile(ctx, account))
}

// PutPicture gives an account a picture, which may not have an id yet, or takes its
// picture away when p is nil.
func (a *Accounts) PutPicture(ctx context.Context, account oauth.ID, p *oauth.Picture) error {
	if p == nil {
		return a.store.PutPortrait(ctx, account, nil)
	}
	named, err := p.Named(a.random, a.now().UTC())
	if err != nil {
		return err
	}
	return a.store.PutPortrait(ctx, account, &named)
}
