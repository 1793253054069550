//go:build race

package e2e_test

// raceEnabled makes the binary under test as watchful as the test that drives it.
const raceEnabled = true
