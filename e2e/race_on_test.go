//go:build race

package e2e_test

// raceEnabled: what serves is as watchful as the test that drives it.
const raceEnabled = true
