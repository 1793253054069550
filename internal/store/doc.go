// Package store keeps accounts, sessions, applications, consents and
// authorizations, what applications did and are told, and the audit log: the
// schema, its migrations and all SQL.
//
// Its methods are events. An event on an authorization loads its row, lets the
// pure rule in internal/oauth decide, and commits one conditional write; the
// database's answer to that write decides who won a race. Writes that arrive
// together are committed together. No rule about OAuth lives here, and nothing
// here knows HTTP.
package store
