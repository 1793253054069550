package oauth

import "context"

// Actor is who does something that the audit log remembers.
type Actor struct {
	// AccountID is zero for somebody who is not signed in, for a command, and for the
	// server itself.
	AccountID ID
	// SessionID is that of the browser in which an account acts, zero where it acts in none.
	SessionID ID
	// Name is how the actor is shown: the account's name, or what stands for it.
	Name string
	// Address is the client's IP address, empty for a command and the server itself.
	Address string
}

type actorKey struct{}

// WithActor is a context for what the actor does.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom is who acts in this context: the server itself where nobody was named.
func ActorFrom(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Name: "server"}
}
