package webhook

import "time"

// retries are how long after the first, second, … failure a delivery is tried again, in
// multiples of Config.FirstRetry: with ten seconds, one and five minutes, half an hour,
// 2, 6, 12 and 24 hours. After the last it is given up.
func retries() []time.Duration { return []time.Duration{1, 6, 30, 180, 720, 2160, 4320, 8640} }

// retryAfter is the pause after so many failures; false when there were enough. The jitter
// from 0 to 1 moves it by a tenth to either side, so that what failed together does not
// come back together.
func retryAfter(attempts int, first time.Duration, jitter float64) (time.Duration, bool) {
	if attempts < 1 || attempts > len(retries()) {
		return 0, false
	}
	pause := retries()[attempts-1] * first
	return time.Duration(float64(pause) * (0.9 + 0.2*jitter)), true
}
