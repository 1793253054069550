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
	// bits are flags, the status and the number of the scope.
	bits uint32
}

// The bits of a record, from the lowest.
const (
	// forItself tells the grants apart: an application's own, or a person's.
	forItself = 1 << iota
	ofDisabledAccount

	statusShift = 2
	statusMask  = 3
	numberShift = 4
)

// scopeNumbers gives scopes numbers, by which records name them. Each number is given once. A
// scope that nobody used since the search for a place last came by makes way for a new one, and
// what is remembered by its number counts no more. It is safe for concurrent use.
type scopeNumbers struct {
	mu      sync.Mutex
	numbers map[oauth.Scope]uint32
	// last is the number that was given or passed over last.
	last uint32
	// places are by the remainder of the number.
	places [maxScopes]atomic.Pointer[numberedScope]
}

type numberedScope struct {
	scope  oauth.Scope
	number uint32
	used   atomic.Bool
}

const (
	// maxScopes bounds how many scopes have numbers: clients may write one scope in many
	// orders.
	maxScopes = 4096
	// maxNumber is what fits into a record.
	maxNumber = 1<<(32-numberShift) - 1
)

// number returns false where all numbers were given.
func (n *scopeNumbers) number(s oauth.Scope) (uint32, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number, ok := n.numbers[s]; ok {
		return number, true
	}
	if n.numbers == nil {
		n.numbers = map[oauth.Scope]uint32{}
	}
	for n.last < maxNumber {
		n.last++
		place := &n.places[n.last%maxScopes]
		if before := place.Load(); before != nil {
			if before.used.Swap(false) {
				continue
			}
			delete(n.numbers, before.scope)
		}
		n.numbers[s] = n.last
		place.Store(&numberedScope{scope: s, number: n.last})
		return n.last, true
	}
	return 0, false
}

// scope is what has a number, unless it made way.
func (n *scopeNumbers) scope(number uint32) (oauth.Scope, bool) {
	named := n.places[number%maxScopes].Load()
	if named.number != number {
		return "", false
	}
	if !named.used.Load() {
		named.used.Store(true)
	}
	return named.scope, true
}

// seal makes the record of a check, without the previous token; false where it cannot be kept.
func (n *scopeNumbers) seal(c checked, changes uint32) (checkRecord, bool) {
	access := c.check.Access
	number, ok := n.number(access.Scope)
	r := checkRecord{
		application: c.check.ApplicationID, account: c.check.AccountID, access: access.Hash,
		issued: toMillis(access.IssuedAt), expires: toMillis(access.ExpiresAt),
		changes: changes, bits: number<<numberShift | uint32(c.check.Status)<<statusShift,
	}
	if c.check.GrantType == oauth.GrantClientCredentials {
		r.bits |= forItself
	}
	if c.disabled {
		r.bits |= ofDisabledAccount
	}
	return r, ok
}

// open is the check of a record that seal made; false where its scope made way.
func (n *scopeNumbers) open(r *checkRecord) (c checked, ok bool) {
	scope, ok := n.scope(r.bits >> numberShift)
	c = checked{disabled: r.bits&ofDisabledAccount != 0, check: oauth.Check{
		ApplicationID: r.application, AccountID: r.account, GrantType: oauth.GrantAuthorizationCode,
		Status: oauth.Status(r.bits >> statusShift & statusMask),
		Access: oauth.AccessToken{Hash: r.access, Scope: scope, IssuedAt: fromMillis(r.issued), ExpiresAt: fromMillis(r.expires)},
	}}
	if r.bits&forItself != 0 {
		c.check.GrantType = oauth.GrantClientCredentials
	}
	return c, ok
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
