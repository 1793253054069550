package store

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// memory is what a store remembers of its database.
type memory struct {
	authorizations *cache[checkRecord]
	scopes         scopeNumbers
	applications   *cache[*oauth.Application]
	accounts       *cache[accountRecord]
	texts          *texts
	// accountChanges tell how long what a record of an authorization says of its account
	// holds.
	accountChanges accountChanges
	// trusted reports whether every drop has reached us; otherwise everything is
	// read again.
	trusted func() bool
}

// How long a record is trusted on PostgreSQL: briefly where several replicas write, because a
// rotation tells nobody. The only one knows all that happens, unless somebody changes rows by
// other means.
const (
	cachedLife      = 10 * time.Second
	cachedLifeAlone = 10 * time.Minute
)

// The bounds of the memory in records. On PostgreSQL there is room for more authorizations,
// since the server has no pages of a database in its memory, and to read one costs more.
const (
	cachedOnSQLite        = 240_000
	cachedOnPostgres      = 320_000
	maxCachedApplications = 10_000
	maxCachedAccounts     = 100_000
	// textsOfAccount is how many bytes the texts of an account mostly take at the most.
	textsOfAccount = 128
)

// newMemory has room for as many authorizations.
func newMemory(authorizations int, life func() time.Duration, trusted func() bool) *memory {
	return &memory{
		authorizations: newCache[checkRecord](authorizations, life),
		applications:   newCache[*oauth.Application](maxCachedApplications, life),
		accounts:       newCache[accountRecord](maxCachedAccounts, life),
		texts:          newTexts(maxCachedAccounts * textsOfAccount),
		trusted:        trusted,
	}
}

// empty ends with the authorizations: whoever reads one afterwards finds no account from
// before.
func (m *memory) empty() {
	m.accounts.empty()
	m.applications.empty()
	m.authorizations.empty()
}

// change names a row that others may have cached.
type change struct {
	kind changeKind
	id   oauth.ID
}

type changeKind byte

const (
	authorizationChanged changeKind = 'a'
	applicationChanged   changeKind = 'p'
	accountChanged       changeKind = 'c'
	// everythingChanged has no id: nobody knows what changed.
	everythingChanged changeKind = 'e'
)

func (m *memory) drop(c change) {
	switch c.kind {
	case authorizationChanged:
		m.authorizations.drop(c.id)
	case applicationChanged:
		m.applications.drop(c.id)
	case accountChanged:
		m.accounts.drop(c.id)
		m.accountChanges.add(c.id)
		// Applications carry their owner's name and state.
		m.applications.empty()
	case everythingChanged:
		m.empty()
	}
}

// recall is what is remembered to judge the access tokens of an authorization.
func (m *memory) recall(id oauth.ID) (c checked, ok bool) {
	if !m.trusted() {
		return c, false
	}
	r, ok := m.authorizations.get(id)
	if !ok {
		return c, false
	}
	c, ok = m.scopes.open(&r)
	return c, ok && r.changes == m.accountChanges.at(r.account).Load()
}

// account returns what is remembered of an account, or reads it.
func (m *memory) account(id oauth.ID, read func() (oauth.Account, error)) (oauth.Account, error) {
	if !m.trusted() {
		return read()
	}
	if r, ok := m.accounts.get(id); ok {
		if a, ok := m.openAccount(id, r); ok {
			return a, nil
		}
	}
	began := m.accounts.begin(id)
	a, err := read()
	if err == nil {
		m.accounts.keep(id, began, m.sealAccount(&a))
	}
	return a, err
}

// accountDisabled is account for what every event wants to know.
func (m *memory) accountDisabled(id oauth.ID, read func() (bool, error)) (bool, error) {
	r, err := remembered(m, m.accounts, id, func() (accountRecord, error) {
		disabled, err := read()
		return accountRecord{disabled: disabled}, err
	})
	return r.disabled, err
}

// knownDisabled is accountDisabled for a transaction that has begun: what that reads may be
// older than a drop, so that only learn, which looked before it began, may keep it.
func (m *memory) knownDisabled(id oauth.ID) (disabled, known bool) {
	if !m.trusted() {
		return false, false
	}
	r, known := m.accounts.get(id)
	return r.disabled, known
}

// learn reads what recall does not know, and keeps it.
func (m *memory) learn(id oauth.ID, read func() (checked, error)) (checked, error) {
	trusted := m.trusted()
	began, beganAccount := m.authorizations.begin(id), m.accounts.beginAny()
	before := m.accountChanges.all.Load()
	c, err := read()
	if err != nil || !trusted {
		return c, err
	}
	changes := m.accountChanges.at(c.check.AccountID).Load()
	if r, ok := m.scopes.seal(c, changes); ok && before == m.accountChanges.all.Load() {
		m.authorizations.keep(id, began, r)
	}
	if c.account != nil {
		m.accounts.keep(c.account.ID, beganAccount, m.sealAccount(c.account))
	} else if _, known := m.accounts.get(c.check.AccountID); !known && !c.remembered {
		m.accounts.keep(c.check.AccountID, beganAccount, accountRecord{disabled: c.disabled})
	}
	return c, nil
}

// remembered returns a record from the cache where that can be trusted, or reads it.
func remembered[V any](m *memory, c *cache[V], id oauth.ID, read func() (V, error)) (V, error) {
	if !m.trusted() {
		return read()
	}
	if value, ok := c.get(id); ok {
		return value, nil
	}
	return c.fill(id, read)
}
