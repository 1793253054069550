package oauth_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// random yields distinct bytes, the same in each run.
type random struct{ n byte }

func (r *random) Read(b []byte) (int, error) {
	for i := range b {
		r.n = r.n*5 + 1
		b[i] = r.n
	}
	return len(b), nil
}

func newToken(t *testing.T, r *random) oauth.Token {
	t.Helper()
	id, err := oauth.NewID(r, start)
	if err != nil {
		t.Fatal(err)
	}
	token, err := oauth.NewToken(r, id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const verifier = "a-verifier-of-at-least-forty-three-characters"

// life is one authorization with the tokens that its parties hold.
type life struct {
	t             *testing.T
	key           oauth.Key
	row           oauth.Authorization
	code, refresh oauth.Token
	access        oauth.Token
	redemption    oauth.Redemption
	now           time.Time
	public        bool
	keyID         oauth.KeyID
}

var limits = oauth.RefreshLimits{AccessLifetime: 2 * time.Hour, Idle: 180 * 24 * time.Hour, ReplayWindow: 10 * time.Second}

func pending(t *testing.T) *life {
	t.Helper()
	r := &random{n: 1}
	key, err := oauth.NewKey(r)
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, key: key, keyID: key.ID(), now: start, code: newToken(t, r)}
	l.access, _ = oauth.NewToken(r, l.code.ID)
	l.refresh, _ = oauth.NewToken(r, l.code.ID)
	challenge, refusal := oauth.ParseChallenge("mg3QoZgnRJxQy_jYdfW7D8wJkoziCuM8Yhos7PwVvsI", "S256", false)
	if refusal != nil {
		t.Fatal(refusal)
	}
	l.row = oauth.Authorization{
		ID: l.code.ID, ApplicationID: oauth.ID{1}, AccountID: oauth.ID{2}, GrantType: oauth.GrantAuthorizationCode,
		Status: oauth.StatusPending, Scope: "profile community", CreatedAt: start,
		CodeHash: l.code.Hash(oauth.KindCode), CodeExpiresAt: start.Add(time.Minute),
		RedirectURI: "https://app.example/cb", RedirectURISent: true, Challenge: challenge,
	}
	l.redemption = oauth.Redemption{
		Code: l.code, ApplicationID: oauth.ID{1}, RedirectURI: "https://app.example/cb", Verifier: verifier, Allowed: "profile community",
		AccessHash: l.access.Hash(oauth.KindAccessToken), RefreshHash: l.refresh.Hash(oauth.KindRefreshToken), AccessLifetime: 2 * time.Hour, RefreshIdle: limits.Idle,
	}
	return l
}

func active(t *testing.T) *life {
	t.Helper()
	l := pending(t)
	l.apply(l.redemption, "")
	return l
}

// apply lets an event decide and checks the wire code of its error.
func (l *life) apply(e oauth.Event, wantError string) {
	l.t.Helper()
	row, err := e.Decide(l.row, false, l.now)
	var refusal *oauth.Error
	switch {
	case err == nil && wantError != "":
		l.t.Fatalf("%T was accepted; want %s", e, wantError)
	case errors.Is(err, oauth.ErrUnrecognised) && wantError != "unrecognised":
		l.t.Fatalf("%T was not recognised; want %q", e, wantError)
	case errors.As(err, &refusal) && refusal.Code.Wire != wantError:
		l.t.Fatalf("%T was refused: %v; want %q", e, err, wantError)
	}
	l.row = row
}

func (l *life) rotation(presented oauth.Token) oauth.Rotation {
	access, next := l.key.Successors(presented)
	return oauth.Rotation{
		Refresh: presented, ApplicationID: oauth.ID{1}, Public: l.public, Allowed: "profile community", KeyID: l.keyID, Limits: limits,
		AccessHash: access.Hash(oauth.KindAccessToken), RefreshHash: next.Hash(oauth.KindRefreshToken),
	}
}

func (l *life) rotate() (presented oauth.Token) {
	l.t.Helper()
	presented = l.refresh
	l.apply(l.rotation(presented), "")
	l.access, l.refresh = l.key.Successors(presented)
	return presented
}

func (l *life) accepts(token oauth.Token) bool {
	_, ok := l.row.Check().AccessTokenFor(token.Hash(oauth.KindAccessToken), l.now)
	return ok
}

func TestACodeCountsOnlyWhenEverythingMatches(t *testing.T) {
	for name, spoil := range map[string]func(*life){
		"another application":         func(l *life) { l.redemption.ApplicationID = oauth.ID{9} },
		"another secret":              func(l *life) { l.redemption.Code.Secret[3] ^= 1 },
		"no redirect_uri":             func(l *life) { l.redemption.RedirectURI = "" },
		"another redirect_uri":        func(l *life) { l.redemption.RedirectURI += "/" },
		"no verifier":                 func(l *life) { l.redemption.Verifier = "" },
		"another verifier":            func(l *life) { l.redemption.Verifier += "x" },
		"a verifier without need":     func(l *life) { l.row.Challenge = "" },
		"an expired code":             func(l *life) { l.now = start.Add(time.Minute) },
		"a revoked authorization":     func(l *life) { l.row.Status = oauth.StatusRevoked },
		"an authorization of no code": func(l *life) { l.row.CodeHash = oauth.Hash{} },
	} {
		t.Run(name, func(t *testing.T) {
			l := pending(t)
			spoil(l)
			before := l.row
			l.apply(l.redemption, "invalid_grant")
			if l.row != before {
				t.Error("a refused redemption changed the row")
			}
		})
	}
}

func TestADisabledAccountRedeemsNothing(t *testing.T) {
	l := pending(t)
	row, err := l.redemption.Decide(l.row, true, l.now)
	if err == nil || row != l.row {
		t.Errorf("redeemed for a disabled account: %v", err)
	}
}

func TestACodeIsNotRedeemedForNothing(t *testing.T) {
	l := pending(t)
	before := l.row
	l.redemption.Allowed = "events"
	l.apply(l.redemption, "invalid_scope")
	if l.row != before {
		t.Error("a refused redemption changed the row")
	}
}

func TestRedirectURIMayBeLeftOutWhenTheRequestHadNone(t *testing.T) {
	l := pending(t)
	l.row.RedirectURISent = false
	l.redemption.RedirectURI = ""
	l.apply(l.redemption, "")
}

func TestASecondRedemptionRevokesWhatTheFirstMade(t *testing.T) {
	l := active(t)
	if !l.accepts(l.access) {
		t.Fatal("the access token does not work")
	}
	// Long after the code expired, and after a refresh: the replay is still one.
	l.now = l.now.Add(time.Hour)
	l.rotate()
	l.apply(l.redemption, "invalid_grant")
	if l.row.Status != oauth.StatusRevoked || l.row.RevokedReason != oauth.ReasonCodeReplay || l.accepts(l.access) {
		t.Errorf("after the replay: status %d, reason %q", l.row.Status, l.row.RevokedReason)
	}
}

func TestARefreshIsIdempotent(t *testing.T) {
	for _, public := range []bool{false, true} {
		l := active(t)
		l.public = public
		presented := l.rotate()
		rotated := l.row
		l.now = l.now.Add(9 * time.Second)
		l.apply(l.rotation(presented), "")
		if l.row.RefreshHash != rotated.RefreshHash || l.row.Access != rotated.Access || l.row.Generation != 2 {
			t.Errorf("public=%v: the replay changed the tokens", public)
		}
		if l.row.RotatedAt != rotated.RotatedAt || l.row.ReplayedAt != l.now {
			t.Errorf("public=%v: the replay restarted the idle clock or was not recorded", public)
		}
	}
}

func TestARefreshTokenCountsOnlyWhereItMay(t *testing.T) {
	for name, c := range map[string]struct {
		spoil    func(*life, *oauth.Rotation)
		disabled bool
		want     oauth.Code
	}{
		"another application":         {spoil: func(_ *life, e *oauth.Rotation) { e.ApplicationID = oauth.ID{9} }, want: oauth.InvalidGrant},
		"a pending authorization":     {spoil: func(l *life, _ *oauth.Rotation) { l.row.Status = oauth.StatusPending }, want: oauth.InvalidGrant},
		"a revoked authorization":     {spoil: func(l *life, _ *oauth.Rotation) { l.row.Status = oauth.StatusRevoked }, want: oauth.InvalidGrant},
		"a disabled account":          {spoil: func(*life, *oauth.Rotation) {}, disabled: true, want: oauth.InvalidGrant},
		"nothing that is allowed":     {spoil: func(_ *life, e *oauth.Rotation) { e.Allowed = "events" }, want: oauth.InvalidScope},
		"a scope that was taken away": {spoil: func(_ *life, e *oauth.Rotation) { e.Scope, e.Allowed = "community", "profile" }, want: oauth.InvalidScope},
	} {
		l := active(t)
		rotation := l.rotation(l.refresh)
		c.spoil(l, &rotation)
		row, err := rotation.Decide(l.row, c.disabled, l.now)
		if oauth.ErrorOf(err).Code != c.want || row != l.row {
			t.Errorf("%s: %v; want %s, the row changed: %v", name, err, c.want.Wire, row != l.row)
		}
	}
}

func TestAReplayOfAPublicApplicationEndsWithItsWindow(t *testing.T) {
	l := active(t)
	l.public = true
	presented := l.rotate()
	l.now = l.now.Add(10 * time.Second)
	l.apply(l.rotation(presented), "invalid_grant")
	if l.row.RevokedReason != oauth.ReasonTokenReplay {
		t.Errorf("reason %q", l.row.RevokedReason)
	}
}

func TestALateReplayGivesAnExpiredAccessTokenNewLife(t *testing.T) {
	l := active(t)
	presented := l.rotate()
	l.now = l.now.Add(3 * time.Hour)
	if l.accepts(l.access) {
		t.Fatal("the access token outlived its time")
	}
	l.apply(l.rotation(presented), "")
	if !l.accepts(l.access) || !l.row.Access.IssuedAt.Equal(l.now) {
		t.Error("the replay did not renew the access token")
	}
}

func TestAReplayNeedsTheKeyOfItsRotation(t *testing.T) {
	l := active(t)
	presented := l.rotate()
	l.key, _ = oauth.NewKey(&random{n: 77})
	l.keyID = l.key.ID()
	before := l.row
	l.apply(l.rotation(presented), "invalid_grant")
	if l.row != before {
		t.Error("a replay that cannot be answered changed the row")
	}
}

func TestOlderGenerationsAreRecognised(t *testing.T) {
	l := active(t)
	var older []oauth.Token
	for range 6 {
		older = append(older, l.rotate())
	}
	previous := older[5]
	for i, token := range older[:5] {
		before := l.row
		l.apply(l.rotation(token), "unrecognised")
		if l.row != before {
			t.Error("an unrecognised token changed the row")
		}
		if !l.key.Reaches(token, l.row.RefreshHash, int(l.row.Generation)-1) {
			t.Errorf("generation %d was not recognised", i+1)
		}
		token.Secret[0] ^= 1
		if l.key.Reaches(token, l.row.RefreshHash, int(l.row.Generation)-1) {
			t.Error("a made-up token was recognised")
		}
	}
	l.apply(l.rotation(previous), "")
}

func TestRefreshScope(t *testing.T) {
	l := active(t)
	narrow := l.rotation(l.refresh)
	narrow.Scope = "profile"
	wide := narrow
	wide.Scope = "profile admin"
	l.apply(wide, "invalid_scope")
	presented := l.refresh
	l.apply(narrow, "")
	if l.row.Access.Scope != "profile" || l.row.Scope != "profile community" {
		t.Errorf("after narrowing: access %q, granted %q", l.row.Access.Scope, l.row.Scope)
	}
	if old, ok := l.row.Check().AccessTokenFor(l.access.Hash(oauth.KindAccessToken), l.now); !ok || old.Scope != "profile community" {
		t.Errorf("the access token before the rotation has the scope %q", old.Scope)
	}
	before := l.row
	l.apply(l.rotation(presented), "invalid_scope")
	if l.row != before {
		t.Error("a replay with another scope changed the row")
	}
	_, l.refresh = l.key.Successors(presented)
	l.rotate()
	if l.row.Access.Scope != "profile community" {
		t.Errorf("a refresh without a scope gives %q", l.row.Access.Scope)
	}
}

func TestARefreshIsRepeatedThoughLessIsAllowedMeanwhile(t *testing.T) {
	l := active(t)
	lost := l.rotation(l.refresh)
	lost.Scope = "community profile"
	l.apply(lost, "")
	for _, c := range []struct {
		asked, allowed oauth.Scope
		want           string
	}{
		{"community profile", "profile", ""},
		{"", "profile", ""},
		{"profile", "profile", "invalid_scope"},
		{"community profile", "", "invalid_scope"},
	} {
		lost.Scope, lost.Allowed = c.asked, c.allowed
		before := l.row
		l.apply(lost, c.want)
		if before.ReplayedAt = l.row.ReplayedAt; l.row != before {
			t.Errorf("repeated with %q where %q is allowed: the row changed", c.asked, c.allowed)
		}
	}
}

func TestTheOldAccessTokenLivesOnForRequestsInFlight(t *testing.T) {
	l := active(t)
	old := l.access
	l.rotate()
	l.now = l.now.Add(29 * time.Second)
	if !l.accepts(old) || !l.accepts(l.access) {
		t.Error("29 seconds after the rotation one of the access tokens is dead")
	}
	l.now = l.now.Add(time.Second)
	if l.accepts(old) {
		t.Error("30 seconds after the rotation the old access token lives")
	}
}

func TestTheOldAccessTokenIsNotProlonged(t *testing.T) {
	l := active(t)
	old := l.access
	l.now = l.now.Add(2*time.Hour - 5*time.Second)
	l.rotate()
	l.now = l.now.Add(5 * time.Second)
	if l.accepts(old) {
		t.Error("the rotation prolonged the old access token")
	}
}

func TestARefreshKeepsTheRefreshTokenAlive(t *testing.T) {
	l := active(t)
	for range 3 {
		l.now = l.now.Add(limits.Idle - time.Second)
		presented := l.rotate()
		l.apply(l.rotation(presented), "")
		if !l.row.RotatedAt.Equal(l.now) || !l.row.ReplayedAt.Equal(l.now) {
			t.Fatalf("rotated at %v, repeated at %v; it is %v", l.row.RotatedAt, l.row.ReplayedAt, l.now)
		}
	}
	if l.rotate(); !l.row.ReplayedAt.IsZero() {
		t.Errorf("the new generation was repeated at %v", l.row.ReplayedAt)
	}
}

func TestAnIdleRefreshTokenIsDead(t *testing.T) {
	l := active(t)
	l.now = l.now.Add(limits.Idle)
	l.apply(l.rotation(l.refresh), "invalid_grant")
	if l.row.Status != oauth.StatusActive {
		t.Error("an idle refresh token revoked its authorization")
	}
}

func TestNoTokenOutlivesAnApprovalForATime(t *testing.T) {
	l := pending(t)
	l.row.EndsAt = start.Add(day)
	ends := l.row.EndsAt
	l.apply(l.redemption, "")
	if !l.row.Access.ExpiresAt.Equal(start.Add(limits.AccessLifetime)) {
		t.Errorf("far from the end an access token lives until %v", l.row.Access.ExpiresAt)
	}
	l.now = ends.Add(-time.Hour)
	presented := l.rotate()
	if !l.row.Access.ExpiresAt.Equal(ends) {
		t.Errorf("an access token lives until %v, the approval until %v", l.row.Access.ExpiresAt, ends)
	}
	l.row.Access.ExpiresAt = l.now
	l.apply(l.rotation(presented), "")
	if !l.row.Access.ExpiresAt.Equal(ends) {
		t.Errorf("a replay prolongs the access token until %v", l.row.Access.ExpiresAt)
	}
	l.now = ends
	for _, token := range []oauth.Token{presented, l.refresh} {
		l.apply(l.rotation(token), "invalid_grant")
	}
	if l.row.Status != oauth.StatusActive || l.accepts(l.access) {
		t.Errorf("after the end the status is %v, and the access token works: %v", l.row.Status, l.accepts(l.access))
	}
	if l.row.SweepAfter.Before(ends.Add(day)) || l.row.SweepAfter.After(ends.Add(day+time.Hour)) {
		t.Errorf("it is swept after %v, the approval ended at %v", l.row.SweepAfter, ends)
	}
}

func TestARowIsKeptAsLongAsOneOfItsTokensLives(t *testing.T) {
	idleSooner := oauth.RefreshLimits{AccessLifetime: 30 * day, Idle: time.Minute}
	kept := func(l *life, when string) {
		t.Helper()
		if l.row.SweepAfter.Before(l.row.Access.ExpiresAt) {
			t.Errorf("after %s it is swept after %v, and its access token lives until %v", when, l.row.SweepAfter, l.row.Access.ExpiresAt)
		}
	}
	l := pending(t)
	l.redemption.AccessLifetime, l.redemption.RefreshIdle = idleSooner.AccessLifetime, idleSooner.Idle
	l.apply(l.redemption, "")
	kept(l, "a redemption")
	rotation := l.rotation(l.refresh)
	rotation.Limits = idleSooner
	l.apply(rotation, "")
	kept(l, "a refresh")

	l = active(t)
	replay := l.rotation(l.rotate())
	replay.Limits.AccessLifetime = 30 * day
	l.now = l.row.RotatedAt.Add(limits.Idle - time.Second)
	l.apply(replay, "")
	kept(l, "a replay that renews the access token")

	l = pending(t)
	l.row.CreatedAt = start.Truncate(7 * day).Add(7*day - time.Minute)
	if got := l.row.UntilIdle(time.Second).SweepAfter; got.Before(l.row.Asked().SweepAfter) {
		t.Errorf("while its code waits it is swept after %v, and its question is over at %v", got, l.row.Asked().SweepAfter)
	}
}

func TestACodeIsNotRedeemedAfterTheEndOfItsApproval(t *testing.T) {
	l := pending(t)
	l.row.EndsAt, l.now = start.Add(time.Second), start.Add(time.Second)
	l.apply(l.redemption, "invalid_grant")
	if l.row.Status != oauth.StatusPending {
		t.Errorf("status %v", l.row.Status)
	}
}

func TestTheLastGenerationRevokes(t *testing.T) {
	l := active(t)
	l.row.Generation = oauth.MaxGeneration
	l.apply(l.rotation(l.refresh), "invalid_grant")
	if l.row.RevokedReason != oauth.ReasonWornOut {
		t.Errorf("reason %q", l.row.RevokedReason)
	}
}

func TestNoKindOfTokenPassesForAnother(t *testing.T) {
	l := active(t)
	for name, token := range map[string]oauth.Token{"the code": l.code, "the refresh token": l.refresh, "an empty secret": {ID: l.code.ID}} {
		if l.accepts(token) {
			t.Errorf("%s works as an access token", name)
		}
	}
	l.apply(l.rotation(l.access), "unrecognised")
	l.apply(l.rotation(l.code), "unrecognised")
	l.apply(l.rotation(oauth.Token{ID: l.code.ID}), "unrecognised")
}

func TestRevocationEndsEverythingOnce(t *testing.T) {
	l := active(t)
	presented := l.rotate()
	l.apply(oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonRequested}, "")
	revoked := l.row
	l.now = l.now.Add(time.Second)
	l.apply(oauth.Revocation{ID: l.row.ID, Reason: oauth.ReasonOperator}, "")
	for _, token := range []oauth.Token{presented, l.refresh, l.access} {
		l.apply(l.rotation(token), "invalid_grant")
	}
	l.apply(l.redemption, "invalid_grant")
	if l.row != revoked || l.accepts(l.access) {
		t.Error("something happened to a revoked authorization")
	}
}

func TestRevokedRowsAreSweptInTheOrderOfTheirEnds(t *testing.T) {
	l := active(t)
	for range 3 {
		early := l.row.Revoked(oauth.ReasonRequested, l.now).EarlySweep()
		if want := l.now.Add(day); !early.Equal(want) {
			t.Errorf("revoked at %v it is swept after %v, want %v", l.now, early, want)
		}
		l.now = l.now.Add(time.Millisecond)
	}
	soonOver := oauth.Authorization{Access: oauth.AccessToken{ExpiresAt: l.now}}.Issued()
	if early := soonOver.Revoked(oauth.ReasonRequested, l.now).EarlySweep(); !early.IsZero() {
		t.Errorf("what is swept soon anyway has an appointment, at %v", early)
	}
}

func TestSuccessorsDependOnTheKeyAndTheAuthorization(t *testing.T) {
	l := active(t)
	access, next := l.key.Successors(l.refresh)
	again, _ := l.key.Successors(l.refresh)
	other, _ := oauth.NewKey(&random{n: 99})
	otherAccess, _ := other.Successors(l.refresh)
	moved := l.refresh
	moved.ID[15] ^= 1
	movedAccess, _ := l.key.Successors(moved)
	switch {
	case access != again:
		t.Error("the same refresh token has two successors")
	case access.Secret == next.Secret, access.Secret == otherAccess.Secret, access.Secret == movedAccess.Secret:
		t.Error("two successors that should differ are the same")
	}
	parsed, err := oauth.ParseKey(l.key.Hex())
	if err != nil || parsed != l.key || !bytes.Equal([]byte(l.key.Hex()), []byte(parsed.Hex())) {
		t.Errorf("a key does not survive its file: %v", err)
	}
}
