package main

import (
	"fmt"
	"strings"
)

// floor is a figure beside what is asked of it.
type floor struct {
	// Engine and Workload are empty where the figure is not of one.
	Engine   string  `json:"engine,omitempty"`
	Workload string  `json:"workload,omitempty"`
	Figure   string  `json:"figure"`
	Reached  float64 `json:"reached"`
	Asked    float64 `json:"asked"`
	Missed   bool    `json:"missed"`
}

// The figures that have floors. The unit is the last word of each; of a ratio as much
// as asked or more is enough, of the others as much or less.
const (
	ratioToCeiling  = "ratio_to_ceiling"
	ratioToSmallest = "ratio_to_smallest"
	halfLoadP99     = "half_load_p99_ms"
	medianOfOne     = "one_connection_median_ms"
	idleMemory      = "idle_memory_mb"
	mixMemory       = "mix_memory_mb"
	firstAnswer     = "first_answer_ms"
	binarySize      = "binary_mb"
)

func newFloor(engine, workload, figure string, reached, asked float64) floor {
	missed := reached > asked
	if strings.HasPrefix(figure, "ratio") {
		missed = reached < asked
	}
	return floor{engine, workload, figure, reached, asked, missed}
}

// asked is what is asked, in words.
func (f floor) asked() string {
	if strings.HasPrefix(f.Figure, "ratio") {
		return fmt.Sprintf(">= %.2f", f.Asked)
	}
	return fmt.Sprintf("<= %.4g", f.Asked)
}

func (f floor) String() string {
	var words []string
	for _, word := range []string{f.Engine, f.Workload, f.Figure} {
		if word != "" {
			words = append(words, word)
		}
	}
	return fmt.Sprintf("%s %.4g, asked %s", strings.Join(words, ": "), f.Reached, f.asked())
}

// ratioFloor is what a workload must reach of the ceiling at the most connections;
// zero where nothing is asked.
func ratioFloor(engine, workload string) float64 {
	of := map[string]struct{ sqlite, postgres float64 }{
		forCredentials:       {0.50, 0.43},
		forChain:             {0.38, 0.36},
		forRefreshRandom:     {0.25, 0.30},
		forCode:              {0.40, 0.30},
		forRevokeInOrder:     {0.50, 0.45},
		forRevokeRandom:      {0.30, 0.40},
		forIntrospectZipf:    {0.80, 0.75},
		forCheckZipf:         {0.80, 0.75},
		forMeZipf:            {0.80, 0.75},
		forIntrospectUniform: {0.50, 0.50},
		forCheckUniform:      {0.50, 0.50},
		forMeUniform:         {0.50, 0.50},
	}[workload]
	switch engine {
	case onSQLite:
		return of.sqlite
	case onPostgreSQL:
		return of.postgres
	}
	return 0
}

// halfLoadFloor is what the 99th percentile at half load may be in milliseconds; zero
// where nothing is asked.
func halfLoadFloor(engine, workload string) float64 {
	switch {
	case engine != onSQLite:
		return 0
	case workload == forRefreshRandom:
		return 10
	}
	return 5
}

// durable tells which workloads answer with tokens that are on the disk.
func durable(workload string) bool {
	return workload == forCredentials || workload == forChain || workload == forCode
}

const (
	// beyondFsync is what a durable token may take at one connection, beyond what the
	// disk takes, in milliseconds.
	beyondFsync = 0.3
	// idleMemoryFloor, mixMemoryFloor and binaryFloor are in megabytes.
	idleMemoryFloor = 30
	mixMemoryFloor  = 120
	binaryFloor     = 40
	// firstAnswerFloor is in milliseconds.
	firstAnswerFloor = 100
	// growthFloor is what the largest store keeps of the smallest one's ratio.
	growthFloor = 0.80
)

const megabyte = 1e6

// judge compares with its floor every figure that was measured and has one.
func (r *report) judge() []floor {
	var all []floor
	if r.BinaryBytes > 0 {
		all = append(all, newFloor("", "", binarySize, float64(r.BinaryBytes)/megabyte, binaryFloor))
	}
	for _, e := range r.Engines {
		all = append(all, e.judge(r.most())...)
	}
	for _, p := range r.Growth {
		if p.Authorizations == r.largest(p.Engine) && p.OfSmallest > 0 {
			all = append(all, newFloor(p.Engine, p.Workload, ratioToSmallest, p.OfSmallest, growthFloor))
		}
	}
	return all
}

// judge of one engine; most is how many the most connections are.
func (e *engineReport) judge(most int) []floor {
	var all []floor
	for _, m := range e.Measurements {
		if asked := ratioFloor(e.Engine, m.Workload); asked > 0 && m.Connections == most {
			all = append(all, newFloor(e.Engine, m.Workload, ratioToCeiling, m.Ratio, asked))
		}
		if asked := halfLoadFloor(e.Engine, m.Workload); asked > 0 && m.Open != nil {
			all = append(all, newFloor(e.Engine, m.Workload, halfLoadP99, float64(m.Open.P99), asked))
		}
		if m.Fsync > 0 && durable(m.Workload) && m.Connections == 1 {
			all = append(all, newFloor(e.Engine, m.Workload, medianOfOne, float64(m.Closed.Median), float64(m.Fsync)+beyondFsync))
		}
	}
	for _, of := range []struct {
		figure         string
		reached, asked float64
	}{
		{idleMemory, float64(e.IdleMemory) / megabyte, idleMemoryFloor},
		{mixMemory, float64(e.MixMemory) / megabyte, mixMemoryFloor},
		{firstAnswer, float64(e.FirstAnswer), firstAnswerFloor},
	} {
		if of.reached > 0 {
			all = append(all, newFloor(e.Engine, "", of.figure, of.reached, of.asked))
		}
	}
	return all
}

// errMissed names the floors that were not reached.
type errMissed struct {
	floors     []floor
	unmeasured []string
}

func (e errMissed) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d floors were not reached:", len(e.floors)+len(e.unmeasured))
	for _, f := range e.floors {
		fmt.Fprintf(&b, "\n  %s", f)
	}
	for _, name := range e.unmeasured {
		fmt.Fprintf(&b, "\n  %s", name)
	}
	return b.String()
}

// verdict is an error where a floor was not reached, or could not be judged.
func (r *report) verdict() error {
	var missed []floor
	for _, f := range r.Floors {
		if f.Missed {
			missed = append(missed, f)
		}
	}
	if len(missed)+len(r.Unmeasured) == 0 {
		return nil
	}
	return errMissed{missed, r.Unmeasured}
}
