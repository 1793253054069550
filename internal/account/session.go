package account

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Browser is what is known of where a request comes from.
type Browser struct {
	Address   netip.Addr
	UserAgent string
	// Before is the session that the browser has already; it ends when another starts.
	Before oauth.ID
}

// Entry is a session that has just started.
type Entry struct {
	Session oauth.Session
	Account oauth.Account
	// Cookie is the token of the session. It is secret.
	Cookie string
}

const maxUserAgent = 300

// acting is a context for what a person does who has just proved to be the account's.
func acting(ctx context.Context, account oauth.Account, b Browser) context.Context {
	return oauth.WithActor(ctx, oauth.Actor{AccountID: account.ID, Name: account.Name, Address: b.Address.String()})
}

// SignIn starts a session for an email address and a password. An unknown address
// and a wrong password get the same *Problem after the same time.
func (a *Accounts) SignIn(ctx context.Context, email, password string, b Browser) (Entry, error) {
	from, email := b.Address, strings.TrimSpace(email)
	byAddress := throttle.Network(from)
	if tooMany := take(a.signInsByAddress, byAddress, from); tooMany != nil {
		return Entry{}, tooMany
	}
	if tooMany := a.guesses.take(email, from); tooMany != nil {
		return Entry{}, tooMany
	}
	found, stored, err := a.store.AccountByEmail(ctx, email)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return Entry{}, err
	}
	if unknown {
		stored = a.hasher.decoy
	}
	matches, err := a.hasher.verify(ctx, password, stored)
	if err != nil {
		return Entry{}, err
	}
	if unknown || !matches {
		if !unknown {
			a.store.SignInFailed(ctx, found)
		}
		return Entry{}, errWrongPassword()
	}
	if found.Disabled {
		a.store.SignInFailed(ctx, found)
		return Entry{}, &Problem{Message: oauth.Say("This account is disabled. Ask those who run this platform.")}
	}
	entry, err := a.enter(ctx, found, stored, b)
	if err == nil {
		// Who is not let in had the password looked at all the same, which is dear.
		a.signInsByAddress.Return(byAddress, from)
		a.guesses.giveBack(email, from)
	}
	return entry, err
}

func errWrongPassword() *Problem {
	return &Problem{Message: oauth.Say("The email address or the password is wrong. If you have forgotten the password, ask those who run this platform for a new one.")}
}

// enter starts the session of an account whose password, by its stored hash, was
// proved.
func (a *Accounts) enter(ctx context.Context, account oauth.Account, password string, b Browser) (Entry, error) {
	if tooMuch := a.takeEntry(account.ID, b.Address); tooMuch != nil {
		return Entry{}, tooMuch
	}
	now := a.now().UTC()
	id, err := oauth.NewID(a.random, now)
	if err != nil {
		return Entry{}, err
	}
	token, err := oauth.NewToken(a.random, id)
	if err != nil {
		return Entry{}, err
	}
	s := oauth.Session{
		ID: id, AccountID: account.ID, Hash: token.Hash(oauth.KindSession),
		UserAgent: b.UserAgent[:min(len(b.UserAgent), maxUserAgent)], Address: b.Address.String(),
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(a.config.SessionLifetime),
	}
	err = a.store.StartSession(acting(ctx, account, b), s, password, b.Before)
	if errors.Is(err, store.ErrNotFound) {
		return Entry{}, errWrongPassword()
	}
	return Entry{Session: s, Account: account, Cookie: token.String()}, err
}

// TakeAct counts something that an account does, such as sending a form, or a session where its
// id is given. It is a problem where that is too much.
func (a *Accounts) TakeAct(of oauth.ID, from netip.Addr) *Problem {
	return take(a.acts, of.String(), from)
}

// takeEntry counts a sign-in that succeeds, apart from other acts: those, somebody may use up who
// has a cookie of the account and not its password.
func (a *Accounts) takeEntry(account oauth.ID, from netip.Addr) *Problem {
	return take(a.acts, "sign-in "+account.String(), from)
}

// seenEvery is how often the use of a session is written down, at most.
const seenEvery = time.Hour

// Session finds the session of a cookie and its account. ErrNotFound: the
// browser is signed out.
func (a *Accounts) Session(ctx context.Context, cookie string) (oauth.Session, oauth.Account, error) {
	now := a.now().UTC()
	token, ok := oauth.ParseToken(cookie, now)
	if !ok {
		return oauth.Session{}, oauth.Account{}, ErrNotFound
	}
	s, err := a.store.Session(ctx, token.ID)
	if err != nil {
		return oauth.Session{}, oauth.Account{}, err
	}
	if !s.Hash.Matches(token.Hash(oauth.KindSession)) || !now.Before(s.ExpiresAt) {
		return oauth.Session{}, oauth.Account{}, ErrNotFound
	}
	account, err := a.store.Account(ctx, s.AccountID)
	if err == nil && account.Disabled {
		err = ErrNotFound
	}
	if err != nil {
		return oauth.Session{}, oauth.Account{}, err
	}
	if now.Sub(s.LastSeenAt) >= min(seenEvery, a.config.SessionLifetime/10) {
		s.LastSeenAt, s.ExpiresAt = now, now.Add(a.config.SessionLifetime)
		if err := a.store.SeeSession(ctx, s); err != nil {
			return oauth.Session{}, oauth.Account{}, err
		}
	}
	return s, account, nil
}

// Sessions lists where an account is signed in, the last used first.
func (a *Accounts) Sessions(ctx context.Context, account oauth.ID) ([]oauth.Session, error) {
	return a.store.Sessions(ctx, account)
}

// EndSession signs one browser of an account out.
func (a *Accounts) EndSession(ctx context.Context, account, session oauth.ID) error {
	return a.store.EndSession(ctx, account, session)
}

// EndOtherSessions signs an account out everywhere but in the session keep.
func (a *Accounts) EndOtherSessions(ctx context.Context, account, keep oauth.ID) error {
	return a.store.EndOtherSessions(ctx, account, keep)
}

// ChangePassword replaces a password, which needs the old one, and signs the
// account out everywhere but in the session keep, which gets another cookie.
func (a *Accounts) ChangePassword(ctx context.Context, account oauth.Account, old, password string, keep oauth.ID, from netip.Addr) (cookie string, err error) {
	key := account.ID.String()
	if tooMany := take(a.oldPasswords, key, from); tooMany != nil {
		return "", tooMany
	}
	_, stored, err := a.store.AccountByEmail(ctx, account.Email)
	if err != nil {
		return "", err
	}
	matches, err := a.hasher.verify(ctx, old, stored)
	if err != nil {
		return "", err
	}
	var ofOld *Problem
	if matches {
		a.oldPasswords.Return(key, from)
	} else {
		ofOld = errNotYours()
	}
	if wrong := oauth.Together(ofOld, refusePassword(password, account.Email, account.Name, account.Username)); wrong != nil {
		return "", wrong
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	token, err := oauth.NewToken(a.random, keep)
	if err != nil {
		return "", err
	}
	err = a.store.ChangePassword(ctx, account.ID, stored, hash, keep, token.Hash(oauth.KindSession))
	if errors.Is(err, store.ErrNotFound) {
		// Another change came first.
		err = errNotYours()
	}
	return token.String(), err
}

func errNotYours() *Problem {
	return &Problem{Field: "old_password", Message: oauth.Say("This is not your password.")}
}
