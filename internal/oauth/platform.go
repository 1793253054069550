package oauth

import "crypto/sha256"

// Platform is what the first administrator says of a new platform. The configuration
// file wins over it.
type Platform struct {
	// Name stands at the top of every page.
	Name string
	// Permissions are the scopes, empty where the file has them.
	Permissions []Permission
}

// HashFirstRunKey is what is stored of the key with which a new platform is set up. The
// key has 256 bits, so a fast hash keeps it.
func HashFirstRunKey(key string) Hash { return sha256.Sum256([]byte("latchkey.first_run\x00" + key)) }
