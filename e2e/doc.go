// Package e2e holds the black-box tests: the real binary, started as a process and driven over
// HTTP, in a real browser and by its commands the way a stranger would, with the client libraries that people use.
//
// It imports nothing internal, so what it asserts is what the wire contract, the design and the
// command line promise. What needs the inside of the program (the rules of an authorization's life,
// the races of a storage engine, the parsers' fuzz tests) is tested in the package that owns it.
package e2e
