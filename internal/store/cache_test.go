package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latchkey/latchkey/internal/oauth"
)

// numbered makes ids that fall into the shards in turn.
func numbered(n int) oauth.ID {
	return oauth.ID{0: byte(n >> 16), 1: byte(n >> 8), 15: byte(n)}
}

func fillWith(value int) func() (int, error) { return func() (int, error) { return value, nil } }

func TestCacheKeepsNothingOlderThanADrop(t *testing.T) {
	one, sameShard, otherShard := numbered(1), numbered(1+cacheShards), numbered(2)
	for _, c := range []struct {
		name      string
		meanwhile func(*cache[int])
		kept      bool
	}{
		{"nothing is dropped meanwhile", func(*cache[int]) {}, true},
		{"the record is dropped meanwhile", func(c *cache[int]) { c.drop(one) }, false},
		{"a neighbour in the shard is dropped meanwhile", func(c *cache[int]) { c.drop(sameShard) }, false},
		{"a record of another shard is dropped meanwhile", func(c *cache[int]) { c.drop(otherShard) }, true},
		{"everything is dropped meanwhile", func(c *cache[int]) { c.empty() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := newCache[int](1000, nil)
			value, err := records.fill(one, func() (int, error) {
				c.meanwhile(records)
				return 7, nil
			})
			if value != 7 || err != nil {
				t.Errorf("the reader got %d, %v", value, err)
			}
			if _, kept := records.get(one); kept != c.kept {
				t.Errorf("kept: %v; want %v", kept, c.kept)
			}
		})
	}
}

func TestCacheKeepsNoErrors(t *testing.T) {
	records := newCache[int](1000, nil)
	fault := errors.New("fault")
	if _, err := records.fill(numbered(1), func() (int, error) { return 7, fault }); !errors.Is(err, fault) {
		t.Errorf("the reader got %v", err)
	}
	if _, kept := records.get(numbered(1)); kept {
		t.Error("the result of a failed read is kept")
	}
}

func TestCacheIsBounded(t *testing.T) {
	const limit = 10 * cacheShards
	records := newCache[int](limit, nil)
	for n := range 5 * limit {
		if _, err := records.fill(numbered(n), fillWith(n)); err != nil {
			t.Fatal(err)
		}
		if value, ok := records.get(numbered(n)); !ok || value != n {
			t.Fatalf("record %d, which was kept just now, is %d, %v", n, value, ok)
		}
	}
	total := 0
	for i := range records.shards {
		total += len(records.shards[i].records) - len(records.shards[i].free)
		if room := cap(records.shards[i].records); room > limit/cacheShards {
			t.Errorf("a shard has room for %d records; its share of the limit is %d", room, limit/cacheShards)
		}
	}
	if total != limit {
		t.Errorf("%d records are kept; the limit is %d", total, limit)
	}
}

func TestCacheKeepsWhatIsUsed(t *testing.T) {
	records := newCache[int](4*cacheShards, nil)
	// So many that an index which forgot to forget would be full.
	const many = 2000
	id := func(n int) oauth.ID { return oauth.ID{6: byte(n >> 8), 7: byte(n)} } // all of one shard
	knows := func(what string, all ...int) {
		t.Helper()
		for _, n := range all {
			if _, ok := records.get(id(n)); !ok {
				t.Fatalf("%s made way: record %d", what, n)
			}
		}
	}
	for n := range many {
		if _, err := records.fill(id(n), fillWith(n)); err != nil {
			t.Fatal(err)
		}
		knows("what is used", 0)
	}
	records.drop(id(many - 2))
	if _, err := records.fill(id(many), fillWith(many)); err != nil {
		t.Fatal(err)
	}
	knows("what came last, though something was dropped,", many-3, many-1, many)
}

// A map is the model. Ids share few homes in the index, and the limit is small, so that
// entries are moved all the time.
func TestCacheKnowsWhatAMapWouldKnow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 24 * cacheShards
		records, model := newCache[int](limit, nil), map[oauth.ID]int{}
		for step := range rapid.IntRange(1, 300).Draw(t, "steps") {
			id := oauth.ID{7: byte(rapid.IntRange(0, 40).Draw(t, "id")), 15: 3}
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				records.empty()
				clear(model)
			case 1, 2, 3:
				records.drop(id)
				delete(model, id)
			default:
				records.keep(id, records.begin(id), step)
				model[id] = step
				if value, ok := records.get(id); !ok || value != step {
					t.Fatalf("what was kept just now is %d, %v; want %d", value, ok, step)
				}
			}
			known := 0
			for n := range 41 {
				id := oauth.ID{7: byte(n), 15: 3}
				value, ok := records.get(id)
				if want, kept := model[id]; ok && (!kept || value != want) {
					t.Fatalf("record %d is %d; the model has %d, %v", n, value, want, kept)
				}
				if ok {
					known++
				}
			}
			if want := min(len(model), limit/cacheShards); known != want {
				t.Fatalf("%d records are known; want %d", known, want)
			}
			// What made way is no longer in the model.
			for id := range model {
				if _, ok := records.get(id); !ok {
					delete(model, id)
				}
			}
		}
	})
}

func TestCacheTrustsARecordForAWhile(t *testing.T) {
	records := newCache[int](1000, func() time.Duration { return time.Minute })
	fresh, old, renewed := numbered(1), numbered(2), numbered(3)
	// The life of a record begins with the read, not with its end.
	records.keep(fresh, ticket{at: time.Now().Add(-59 * time.Second)}, 1)
	records.keep(old, ticket{at: time.Now().Add(-time.Minute)}, 2)
	records.keep(renewed, ticket{at: time.Now().Add(-time.Minute)}, 3)
	records.keep(renewed, records.begin(renewed), 4)
	if _, ok := records.get(fresh); !ok {
		t.Error("a record is forgotten before its time")
	}
	if _, ok := records.get(old); ok {
		t.Error("a record is trusted for too long")
	}
	if value, ok := records.get(renewed); !ok || value != 4 {
		t.Errorf("a record that was read anew is %d, %v", value, ok)
	}
	if !strings.Contains(records.made.String(), " m=") {
		t.Error("ages are not counted by the monotonic clock")
	}
}

func TestMemoryIsNotAskedWhileItCannotBeTrusted(t *testing.T) {
	trusted := true
	m := newMemory(cachedOnSQLite, nil, func() bool { return trusted })
	id, reads := numbered(1), 0
	ask := func() bool {
		disabled, err := m.accountDisabled(id, func() (bool, error) {
			reads++
			return reads > 1, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return disabled
	}
	for range 2 {
		if ask() || reads != 1 {
			t.Errorf("%d reads; want 1", reads)
		}
	}
	if trusted = false; !ask() || reads != 2 {
		t.Error("an untrusted memory was asked")
	}
	m.drop(change{kind: accountChanged, id: id})
	if trusted = true; !ask() || reads != 3 {
		t.Error("what was dropped was answered from memory")
	}
}

func TestWhatIsReadWithoutTrustIsNotRemembered(t *testing.T) {
	for _, c := range []struct {
		name                        string
		whenRead, whenAsked, wanted bool
	}{
		{"trusted all the time", true, true, true},
		{"not trusted when it is read", false, true, false},
		{"not trusted when it is asked for", true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			trusted, reads := c.whenRead, 0
			m := newMemory(cachedOnSQLite, nil, func() bool { return trusted })
			id, account, person := numbered(1), numbered(2), numbered(3)
			read := func() (oauth.Account, error) { reads++; return oauth.Account{ID: person}, nil }
			_, err := m.learn(id, func() (checked, error) { return checked{check: oauth.Check{AccountID: account}}, nil })
			must(t, err)
			_, err = m.account(person, read)
			must(t, err)
			trusted = c.whenAsked
			if _, known := m.recall(id); known != c.wanted {
				t.Errorf("the check is remembered: %v", known)
			}
			if _, known := m.knownDisabled(account); known != c.wanted {
				t.Errorf("whether the account is disabled is remembered: %v", known)
			}
			if _, err := m.account(person, read); err != nil || (reads == 1) != c.wanted {
				t.Errorf("an account is read %d times, %v", reads, err)
			}
		})
	}
}

func TestPayloadsSurviveTheirText(t *testing.T) {
	var changes []change
	for n := range 1000 {
		changes = append(changes, change{kind: []changeKind{authorizationChanged, applicationChanged, accountChanged}[n%3], id: numbered(n)})
	}
	var heard []change
	for _, payload := range payloads(changes) {
		if len(payload) > maxPayload {
			t.Errorf("a payload has %d bytes", len(payload))
		}
		heard = append(heard, parsePayload(payload)...)
	}
	if len(heard) != len(changes) {
		t.Fatalf("%d changes were heard of %d", len(heard), len(changes))
	}
	for i := range changes {
		if heard[i] != changes[i] {
			t.Fatalf("change %d is %v; want %v", i, heard[i], changes[i])
		}
	}
	if got := parsePayload("a***********************"); len(got) != 1 || got[0].kind != everythingChanged {
		t.Errorf("what cannot be read is taken for %v", got)
	}
}

func TestARecordOfAnAccountThatChangedIsReadAgain(t *testing.T) {
	id, account, neighbour := numbered(1), numbered(2), numbered(3)
	learn := func(m *memory, meanwhile func()) {
		t.Helper()
		_, err := m.learn(id, func() (checked, error) {
			meanwhile()
			return checked{check: oauth.Check{AccountID: account, Status: oauth.StatusActive}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*memory) {}
	changed := func(id oauth.ID) func(*memory) {
		return func(m *memory) { m.drop(change{kind: accountChanged, id: id}) }
	}
	for _, c := range []struct {
		name              string
		meanwhile, before func(*memory)
		after             func(*memory)
		known             bool
	}{
		{"nothing changes", nothing, nothing, nothing, true},
		{"it changed before", nothing, changed(account), nothing, true},
		{"it changes during the read", changed(account), nothing, nothing, false},
		{"it changes afterwards", nothing, nothing, changed(account), false},
		{"another account changes during the read", changed(neighbour), nothing, nothing, false},
		{"another account changes afterwards", nothing, nothing, changed(neighbour), true},
		{"nobody knows what changes afterwards", nothing, nothing, func(m *memory) { m.drop(change{kind: everythingChanged}) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemory(cachedOnSQLite, nil, func() bool { return true })
			c.before(m)
			learn(m, func() { c.meanwhile(m) })
			c.after(m)
			if _, known := m.recall(id); known != c.known {
				t.Errorf("it is known: %v; want %v", known, c.known)
			}
			if _, known := m.knownDisabled(account); known != c.known {
				t.Errorf("whether the account is disabled is known: %v; want %v", known, c.known)
			}
		})
	}
}

func TestAnAccountThatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	m, id, reads := newMemory(cachedOnSQLite, nil, func() bool { return true }), numbered(1), 0
	for range 3 {
		_, err := m.account(id, func() (oauth.Account, error) {
			if reads++; reads == 1 {
				m.drop(change{kind: accountChanged, id: id})
			}
			return oauth.Account{ID: id}, nil
		})
		must(t, err)
	}
	if reads != 2 {
		t.Errorf("it is read %d times; want 2", reads)
	}
}

// A check that began in between would hold, by the new count, what was remembered of the account.
func TestAnAccountIsForgottenBeforeItsChangeIsCounted(t *testing.T) {
	m, account := newMemory(cachedOnSQLite, nil, func() bool { return true }), numbered(1)
	inTheWay, before := &m.accounts.shard(account).mu, m.accounts.drops.Load()
	inTheWay.Lock()
	dropped := make(chan struct{})
	go func() {
		m.drop(change{kind: accountChanged, id: account})
		close(dropped)
	}()
	await(t, "the account is being forgotten", func() bool { return m.accounts.drops.Load() != before })
	if m.accountChanges.all.Load() != 0 {
		t.Error("the change is counted")
	}
	inTheWay.Unlock()
	<-dropped
}

// A check that begins while everything is forgotten may still find the account from before.
func TestWhatIsForgottenDoesNotComeBackWithACheck(t *testing.T) {
	m := newMemory(cachedOnSQLite, nil, func() bool { return true })
	id, account := numbered(1), numbered(2)
	if _, err := m.accountDisabled(account, func() (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	// The accounts are emptied shard by shard, and this one is the first.
	first, before := &m.accounts.shards[0].mu, m.accounts.drops.Load()
	first.Lock()
	emptied := make(chan struct{})
	go func() {
		m.empty()
		close(emptied)
	}()
	await(t, "the accounts are being emptied", func() bool { return m.accounts.drops.Load() != before })
	_, err := m.learn(id, func() (checked, error) {
		disabled, known := m.knownDisabled(account)
		if !known {
			t.Error("the account was forgotten too early for this test")
		}
		first.Unlock()
		<-emptied
		return checked{check: oauth.Check{AccountID: account, Status: oauth.StatusActive}, disabled: disabled, remembered: known}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := m.recall(id); known {
		t.Error("the check is remembered")
	}
	if _, known := m.knownDisabled(account); known {
		t.Error("the account is remembered again")
	}
}

func TestARememberedAccountIsWhole(t *testing.T) {
	m := newMemory(cachedOnSQLite, nil, func() bool { return true })
	want := oauth.Account{
		ID: numbered(7), Email: "ada@example.com", Username: "ada", Name: "Ada Lovelace", AvatarURL: "/pictures/x",
		Administrator: true, Disabled: true, CreatedAt: time.UnixMilli(1_700_000_000_123).UTC(),
	}
	reads := 0
	read := func() (oauth.Account, error) { reads++; return want, nil }
	if disabled, err := m.accountDisabled(want.ID, func() (bool, error) { return true, nil }); !disabled || err != nil {
		t.Fatal(disabled, err)
	}
	for range 2 {
		if a, err := m.account(want.ID, read); a != want || err != nil || reads != 1 {
			t.Errorf("%d reads, %+v, %v", reads, a, err)
		}
	}
	if disabled, known := m.knownDisabled(want.ID); !disabled || !known {
		t.Error("it is not known to be disabled")
	}
}

// A client may write one scope in very many orders.
func TestScopesThatNobodyUsesMakeWay(t *testing.T) {
	m := newMemory(cachedOnSQLite, nil, func() bool { return true })
	scope := func(n int) oauth.Scope { return oauth.Scope(fmt.Sprint("profile s", n)) }
	learn := func(n int) {
		t.Helper()
		_, err := m.learn(numbered(n), func() (checked, error) {
			return checked{check: oauth.Check{AccountID: numbered(n), Status: oauth.StatusRevoked, GrantType: oauth.GrantClientCredentials, Access: oauth.AccessToken{Scope: scope(n)}}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := func(n int) bool {
		t.Helper()
		c, ok := m.recall(numbered(n))
		if ok && (c.check.Access.Scope != scope(n) || c.check.Status != oauth.StatusRevoked || c.check.GrantType != oauth.GrantClientCredentials || c.disabled) {
			t.Fatalf("what was learnt with %q is recalled as %+v", scope(n), c)
		}
		return ok
	}
	const used, unused = 0, 1
	for n := range 3 * maxScopes {
		learn(n)
		if !known(used) {
			t.Fatalf("after %d scopes the one in use has made way", n)
		}
		if n != unused && n != used && !known(n) {
			t.Fatalf("with %d scopes before, nothing is remembered", n)
		}
	}
	if known(unused) {
		t.Error("what nobody used has a scope still")
	}
	if kept := len(m.scopes.numbers); kept > maxScopes {
		t.Errorf("%d scopes are kept", kept)
	}
	learn(unused)
	if !known(unused) {
		t.Error("a scope that made way does not come back")
	}

	m = newMemory(cachedOnSQLite, nil, func() bool { return true })
	m.scopes.last = maxNumber - 1
	learn(used)
	learn(unused)
	if !known(used) || known(unused) {
		t.Error("the last number is not given, or another one behind it")
	}
}

func TestTheRowsThatWereWrittenLastAreRemembered(t *testing.T) {
	r := newRecent()
	const made = recentRows + 10
	for n := range made {
		for range 2 {
			r.add(&oauth.Authorization{ID: numbered(n)})
		}
	}
	for n := range made {
		if known := r.find(numbered(n)) != nil; known != (n >= made-recentRows) {
			t.Errorf("row %d of %d is remembered: %v", n, made, known)
		}
	}
}
