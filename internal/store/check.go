package store

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/latchkey/latchkey/internal/oauth"
)

// checked is what is read to judge an access token.
type checked struct {
	check    oauth.Check
	disabled bool
	// remembered: whether it is disabled was not read. It may have been dropped since, and
	// must not come back.
	remembered bool
	// account is read along where that costs less than to read it afterwards; otherwise
	// it is nil.
	account *oauth.Account
}

// checkColumns are those of the check of an authorization.
const checkColumns = `application_id, account_id, grant_type, status,
	access_hash, access_scope, access_issued_at, access_expires_at,
	previous_access_hash, previous_access_scope, previous_access_issued_at, previous_access_expires_at`

const selectCheckByID = `select id, ` + checkColumns + ` from authorizations where id = any($1)`

func scanCheck(r row) (id oauth.ID, c *checked, err error) {
	c = new(checked)
	access, previous := &c.check.Access, &c.check.PreviousAccess
	err = r.Scan(fixed(id[:]), fixed(c.check.ApplicationID[:]), fixed(c.check.AccountID[:]), &c.check.GrantType, &c.check.Status,
		fixed(access.Hash[:]), &access.Scope, millis{&access.IssuedAt}, millis{&access.ExpiresAt},
		fixed(previous.Hash[:]), &previous.Scope, millis{&previous.IssuedAt}, millis{&previous.ExpiresAt})
	return id, c, err
}

// checkRecord is an oauth.Check as the memory keeps it: without pointers, a fifth of the
// size of a row. Of the previous access token, which lives for half a minute, it knows
// nothing: whoever comes with that is answered from the database.
type checkRecord struct {
	application, account oauth.ID
	access               oauth.Hash
	// issued and expires are Unix milliseconds.
	issued, expires int64
	// changes is how often the account had changed when it was read whether it is disabled.
	changes uint32
	scope   scopeNumber
	status  oauth.Status
	flags   checkFlags
}

// scopeNumber stands for a scope.
type scopeNumber uint16

// checkFlags are in one byte, so that a record has 88.
type checkFlags uint8

const (
	// forItself tells the grants apart: an application's own, or a person's.
	forItself checkFlags = 1 << iota
	ofDisabledAccount
)

// scopeNumbers gives scopes numbers, by which records name them. It is safe for
// concurrent use.
type scopeNumbers struct {
	mu      sync.Mutex
	numbers map[oauth.Scope]scopeNumber
	// scopes by their numbers; what is in it never changes.
	scopes atomic.Pointer[[]oauth.Scope]
}

// maxScopes bounds how many scopes have numbers: clients may write one scope in many
// orders.
const maxScopes = 4096

// number returns false for a scope that has no number and gets none.
func (n *scopeNumbers) number(s oauth.Scope) (scopeNumber, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number, ok := n.numbers[s]; ok {
		return number, true
	}
	var scopes []oauth.Scope
	if old := n.scopes.Load(); old != nil {
		scopes = *old
	}
	if len(scopes) == maxScopes {
		return 0, false
	}
	if n.numbers == nil {
		n.numbers = map[oauth.Scope]scopeNumber{}
	}
	number := scopeNumber(len(scopes))
	n.numbers[s] = number
	// Readers of the old slice end before what is appended.
	scopes = append(scopes, s)
	n.scopes.Store(&scopes)
	return number, true
}

// seal makes the record of a check, without the previous token; false where it cannot be kept.
func (n *scopeNumbers) seal(c checked, changes uint32) (checkRecord, bool) {
	access := c.check.Access
	scope, ok := n.number(access.Scope)
	r := checkRecord{
		application: c.check.ApplicationID, account: c.check.AccountID, access: access.Hash,
		issued: toMillis(access.IssuedAt), expires: toMillis(access.ExpiresAt),
		changes: changes, scope: scope, status: c.check.Status,
	}
	if c.check.GrantType == oauth.GrantClientCredentials {
		r.flags |= forItself
	}
	if c.disabled {
		r.flags |= ofDisabledAccount
	}
	return r, ok
}

// open is the check of a record that seal made.
func (n *scopeNumbers) open(r *checkRecord) checked {
	c := checked{disabled: r.flags&ofDisabledAccount != 0, check: oauth.Check{
		ApplicationID: r.application, AccountID: r.account, GrantType: oauth.GrantAuthorizationCode, Status: r.status,
		Access: oauth.AccessToken{
			Hash: r.access, Scope: (*n.scopes.Load())[r.scope], IssuedAt: fromMillis(r.issued), ExpiresAt: fromMillis(r.expires),
		},
	}}
	if r.flags&forItself != 0 {
		c.check.GrantType = oauth.GrantClientCredentials
	}
	return c
}

// accountChanges counts how often accounts were changed, many of them together: so a
// record of an authorization can hold what was read of its account.
type accountChanges struct {
	all atomic.Uint64
	of  [1024]atomic.Uint32
}

func (c *accountChanges) at(id oauth.ID) *atomic.Uint32 {
	return &c.of[binary.BigEndian.Uint16(id[14:])%uint16(len(c.of))]
}

// add is called when a change is committed and not yet acknowledged.
func (c *accountChanges) add(id oauth.ID) {
	c.all.Add(1)
	c.at(id).Add(1)
}

// accountRecord is an oauth.Account as the memory keeps it, without pointers.
type accountRecord struct {
	// The email address, the username, the name and the picture lie one behind the other at a
	// place among the texts; ends are where each of them ends.
	at      uint64
	ends    [4]uint32
	created int64
	// whole: more is known than whether the account is disabled.
	whole, administrator, disabled bool
}

// sealAccount makes the record of an account.
func (m *memory) sealAccount(a *oauth.Account) accountRecord {
	r := accountRecord{created: toMillis(a.CreatedAt), administrator: a.Administrator, disabled: a.Disabled}
	end := 0
	for i, text := range [...]string{a.Email, a.Username, a.Name, a.AvatarURL} {
		end += len(text)
		r.ends[i] = uint32(end)
	}
	r.at, r.whole = m.texts.put(a.ID, a.Email+a.Username+a.Name+a.AvatarURL)
	return r
}

// openAccount is the account of a record that sealAccount made, if it is whole.
func (m *memory) openAccount(id oauth.ID, r accountRecord) (a oauth.Account, ok bool) {
	if !r.whole {
		return a, false
	}
	text, ok := m.texts.get(id, r.at, int(r.ends[3]))
	if !ok {
		return a, false
	}
	return oauth.Account{
		ID: id, Email: text[:r.ends[0]], Username: text[r.ends[0]:r.ends[1]], Name: text[r.ends[1]:r.ends[2]], AvatarURL: text[r.ends[2]:],
		Administrator: r.administrator, Disabled: r.disabled, CreatedAt: fromMillis(r.created),
	}, true
}
