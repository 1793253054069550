package oauth

import (
	"slices"
	"time"
)

// Problem is what a person can mend in a form.
type Problem struct {
	// Field names the input; empty when the problem is not one input's.
	Field   string
	Message Sentence
	// More are those of other inputs.
	More []*Problem
	// RetryAfter is set when there were too many attempts.
	RetryAfter time.Duration
}

// Error is the message.
func (p *Problem) Error() string { return p.Message.String() }

// Together is what is wrong with several inputs, where nothing is wrong with those that are nil;
// nil where nothing is wrong with any.
func Together(wrong ...*Problem) *Problem {
	wrong = slices.DeleteFunc(wrong, func(p *Problem) bool { return p == nil })
	if len(wrong) == 0 {
		return nil
	}
	wrong[0].More = wrong[1:]
	return wrong[0]
}
