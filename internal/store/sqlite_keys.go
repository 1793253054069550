package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	binding "zombiezen.com/go/sqlite"

	"github.com/latchkey/latchkey/internal/oauth"
)

// SQLite finds a row fastest by an integer: the inner pages of such a table hold numbers
// alone, so that those of a million authorizations fit into a connection's cache and a
// row is found with one page read. The key of an authorization is made of its id: the
// milliseconds since 2026, the first 20 random bits, and two bits that tell apart the ids
// that agree in all of that. Keys are in the order of the ids.

// keyPlaces is how many ids may have the same beginning. Of ids that are made 30,000 times
// a second, one in 30,000 needs its second place.
const keyPlaces = 4

// keysBegin is in Unix milliseconds: 2026, as 41 bits of them are kept. What is on the disk
// depends on it, and the migration that made the keys has it too.
const keysBegin = 1767225600000

// keyOf is the first of the places at which the row of an id may be.
func keyOf(id oauth.ID) int64 {
	var stamp [8]byte
	copy(stamp[2:], id[:6])
	// The version and the variant are the same in all ids (RFC 9562 §5.7).
	random := int64(id[6]&0x0f)<<16 | int64(id[7])<<8 | int64(id[8]&0x3f)<<2 | int64(id[9]>>6)
	return (int64(binary.BigEndian.Uint64(stamp[:]))-keysBegin)<<22 | random*keyPlaces
}

// keyColumn is where keyOf an id stands.
const keyColumn = "key"

func (e *sqlite) rowName() string { return keyColumn }

// keyFunction is keyOf in SQL, for statements that serve both engines.
const keyFunction = "authorization_key"

// byKey is the condition that finds an authorization by its id, the first parameter, in
// one of its keyPlaces.
const byKey = ` where key between ` + keyFunction + `($1) and ` + keyFunction + `($1) + 3 and id = $1`

func addKeyFunction(to *binding.Conn) error {
	return to.CreateFunction(keyFunction, &binding.FunctionImpl{
		NArgs: 1, Deterministic: true,
		Scalar: func(_ binding.Context, args []binding.Value) (none binding.Value, err error) {
			var id oauth.ID
			if n := copy(id[:], args[0].Blob()); n != len(id) {
				return none, fmt.Errorf("an id has %d bytes", n)
			}
			return binding.IntegerValue(keyOf(id)), nil
		},
	})
}

// whereKeyed is byKey for three parameters, which keyed binds.
const whereKeyed = ` where key between ? and ? and id = ?`

func (s *statement) keyed(id *oauth.ID) *statement {
	first := keyOf(*id)
	return s.number(first).number(first + keyPlaces - 1).blob(id[:])
}

// errNoPlace: keyPlaces ids begin alike.
var errNoPlace = errors.New("too many authorizations have an id that begins like this one")

// place finds where the row of an id can be added; taken tells that there is one.
func (c *connection) place(id *oauth.ID) (key int64, taken bool, err error) {
	first := keyOf(*id)
	s := c.statement(`select coalesce(max(key) + 1, ?), coalesce(max(id = ?), 0) from authorizations where key between ? and ?`).
		number(first).blob(id[:]).number(first).number(first + keyPlaces - 1)
	if s.next() {
		key, taken = s.readNumber(), s.readNumber() != 0
	}
	if err = s.end(); err == nil && !taken && key >= first+keyPlaces {
		err = errNoPlace
	}
	return key, taken, err
}
