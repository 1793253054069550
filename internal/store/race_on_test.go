//go:build race

package store_test

// raceEnabled makes the measurements smaller: the race detector slows them tenfold.
const raceEnabled = true
