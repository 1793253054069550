package oauth

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// ID names an account, an application, an authorization or a session. It is a
// UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits, so
// that rows created one after another lie beside each other.
type ID [16]byte

// NewID makes an ID for the time now from 10 bytes of random.
func NewID(random io.Reader, now time.Time) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return ID{}, fmt.Errorf("draw an id: %w", err)
	}
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(now.UnixMilli()))
	copy(id[:6], stamp[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// ParseID reads the form that String writes, in lower-case hexadecimal only.
func ParseID(s string) (ID, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, false
	}
	var id ID
	plain := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(plain)); err != nil || id.String() != s {
		return ID{}, false
	}
	return id, true
}

// String is the UUID in its usual form of 36 characters.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText is String, so that logs show ids as commands take them.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// IsZero reports whether the ID was never set.
func (id ID) IsZero() bool { return id == ID{} }

// Time is the millisecond in which the ID was made.
func (id ID) Time() time.Time {
	var stamp [8]byte
	copy(stamp[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:]))).UTC()
}

// projectBirth is earlier than any ID that a Latchkey ever made.
const projectBirth = 1767225600000 // 2026-01-01T00:00:00Z in Unix milliseconds

// TooEarly reports whether a clock is so far behind that no ID which is made by it would be
// plausible, ever.
func TooEarly(now time.Time) bool { return now.UnixMilli() < projectBirth }

// clockError is how far our clock may be behind the one that made an ID. It is long: a machine
// may start with a clock that is behind, and whoever then revokes a token or refreshes must not
// be told that there is no such token.
const clockError = 366 * 24 * time.Hour

// Plausible reports whether the ID can be one of ours: the version and variant
// of a UUIDv7 and a time between the project's birth and a year from now.
// It lets garbage be refused before the database is asked.
func (id ID) Plausible(now time.Time) bool {
	if id[6]>>4 != 7 || id[8]>>6 != 2 {
		return false
	}
	at := id.Time()
	return at.UnixMilli() >= projectBirth && !at.After(now.Add(clockError))
}
