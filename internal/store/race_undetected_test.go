//go:build !race

package store

// raceDetected skips the measurements of whole tables: the race detector slows them tenfold.
const raceDetected = false
