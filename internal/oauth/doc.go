// Package oauth holds the nouns of OAuth 2.0 and the pure rules about them:
// the format of tokens, what an event does to an authorization, scopes,
// redirect URIs, PKCE and the protocol's error type.
//
// Nothing here performs I/O, reads a clock or draws randomness by itself:
// the time and the source of randomness are passed in. How rows are stored
// lives in internal/store, how requests are read in internal/endpoint.
package oauth
