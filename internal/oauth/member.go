package oauth

import "time"

// Role is what an account may do with an application that another one owns.
type Role string

// A co-owner may do everything with an application but delete it, give it away and name
// other co-owners. A tester may authorize it before its review. The heir is who is
// offered it: until the offer is accepted, nothing changes.
const (
	RoleCoOwner Role = "co-owner"
	RoleTester  Role = "tester"
	RoleHeir    Role = "heir"
)

// Member is an account with a role in an application.
type Member struct {
	AccountID      ID
	Name, Username string
	Role           Role
	Since          time.Time
}
