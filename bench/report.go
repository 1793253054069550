package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is what a run measured.
type report struct {
	Date time.Time `json:"date"`
	// Version is what the binary says of itself.
	Version     string  `json:"version"`
	BinaryBytes int64   `json:"binary_bytes"`
	Machine     machine `json:"machine"`
	// Authorizations are the living ones that workloads draw from.
	Authorizations int   `json:"authorizations"`
	Connections    []int `json:"connections"`
	// Length is how long each load was counted, in seconds.
	Length float64 `json:"length_s"`
	Rounds int     `json:"rounds"`
	// Ceiling is the handler that does nothing, by itself.
	Ceiling  []measurement   `json:"ceiling,omitempty"`
	Engines  []*engineReport `json:"engines,omitempty"`
	Peers    []*engineReport `json:"peers,omitempty"`
	Growth   []growthPoint   `json:"growth,omitempty"`
	Replicas []replicaPoint  `json:"replicas,omitempty"`
	Turns    []turn          `json:"turns,omitempty"`
	Floors   []floor         `json:"floors"`
	// Unmeasured are the workloads that ran out of rows or stood still, and which it was.
	Unmeasured []string `json:"unmeasured,omitempty"`
}

// engineReport is what was measured on one engine, or of one peer.
type engineReport struct {
	Engine string `json:"engine"`
	// FirstAnswer is from exec to the first answer on the filled store.
	FirstAnswer millis `json:"first_answer_ms,omitempty"`
	// IdleMemory and MixMemory are resident sets: after the start on an empty store, and
	// after the mix.
	IdleMemory int64 `json:"idle_memory_bytes,omitempty"`
	MixMemory  int64 `json:"mix_memory_bytes,omitempty"`
	// BytesPerAuthorization is what one takes on the disk.
	BytesPerAuthorization float64 `json:"bytes_per_authorization,omitempty"`
	// Fsync is the median of what the disk takes to keep a few pages.
	Fsync        millis        `json:"fsync_ms,omitempty"`
	Measurements []measurement `json:"measurements"`
}

// machine is what the run was made on.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// newReport describes a run that is about to begin.
func newReport(ctx context.Context, o options) (*report, error) {
	about, err := os.Stat(o.binary)
	if err != nil {
		return nil, fmt.Errorf("the binary to measure: %w", err)
	}
	version, err := exec.CommandContext(ctx, o.binary, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("the version of the binary: %w", err)
	}
	return &report{
		Date: time.Now().UTC().Truncate(time.Second), Version: strings.TrimSpace(string(version)),
		BinaryBytes: about.Size(), Machine: thisMachine(), Authorizations: o.living,
		Connections: o.connections, Length: o.length.Seconds(), Rounds: o.rounds,
	}, nil
}

func thisMachine() machine {
	m := machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	return m
}

// most is how many the most connections are.
func (r *report) most() int { return r.Connections[len(r.Connections)-1] }

// find looks for a measurement; it is nil where there is none.
func find(all []measurement, workload string, connections int) *measurement {
	for i, m := range all {
		if m.Workload == workload && m.Connections == connections {
			return &all[i]
		}
	}
	return nil
}

// floorOf finds the floor of a figure; it is nil where none was judged.
func (r *report) floorOf(engine, workload, figure string) *floor {
	for i, f := range r.Floors {
		if f.Engine == engine && f.Workload == workload && f.Figure == figure {
			return &r.Floors[i]
		}
	}
	return nil
}

// write leaves the report in a folder, under a name without its ending.
func (r *report) write(folder, name string) error {
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, name+".json"), append(encoded, '\n'), 0o644); err != nil {
		return err
	}
	if len(r.Engines) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(folder, name+".svg"), r.plot(), 0o644)
}
