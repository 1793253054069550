package oauth

import "time"

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

// TooManyAttempts is the problem of somebody who has to wait. The field may be empty.
func TooManyAttempts(field string, wait time.Duration) *Problem {
	return &Problem{Field: field, Message: Say("There were too many attempts. Wait a little and try again."), RetryAfter: wait}
}

// Error is the message.
func (p *Problem) Error() string { return p.Message.String() }

// All are the problem and those of other inputs.
func (p *Problem) All() []*Problem { return append([]*Problem{p}, p.More...) }

// Together is what is wrong with several inputs, where nothing is wrong with those that are nil;
// nil where nothing is wrong with any.
func Together(wrong ...*Problem) *Problem {
	var all []*Problem
	for _, p := range wrong {
		if p != nil {
			all = append(all, p.All()...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	all[0].More = all[1:]
	return all[0]
}
