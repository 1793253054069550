package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// reported is a report in which SQLite reaches all floors, and PostgreSQL none.
func reported() *report {
	r := &report{
		Date: begun.Truncate(time.Second), Version: "latchkey <devel> & more", BinaryBytes: 33e6, Authorizations: 1_000_000,
		Machine:     machine{CPU: "a \"CPU\"", Cores: 2, Kernel: "6.1", Go: "go1.26"},
		Connections: []int{1, 64}, Length: 0.5, Rounds: 5,
		Ceiling: []measurement{{Workload: ceilingItself, Connections: 64, Rate: 50_000, Ratio: 1, Closed: latencies{1, 2, 3}, Open: &latencies{0.1, 0.2, 0.3}, CPU: 20}},
		Engines: []*engineReport{
			{Engine: onSQLite, FirstAnswer: 50, IdleMemory: 20e6, MixMemory: 100e6, BytesPerAuthorization: 480, Fsync: 0.3},
			{Engine: onPostgreSQL, FirstAnswer: 150, IdleMemory: 40e6, MixMemory: 130e6},
		},
	}
	for _, w := range workloads(newRows(1, 2, 1, begun)) {
		r.Engines[0].Measurements = append(r.Engines[0].Measurements,
			measurement{Workload: w.name, Rows: w.rows, Connections: 1, Rate: 2000, Ratio: 0.1, Closed: latencies{0.55, 1, 2}, Fsync: 0.3},
			measurement{Workload: w.name, Rows: w.rows, Connections: 64, Rate: 45_000, Ratio: 0.9, Closed: latencies{1, 2, 3}, Open: &latencies{0.5, 4.9, 9}})
		r.Engines[1].Measurements = append(r.Engines[1].Measurements,
			measurement{Workload: w.name, Rows: w.rows, Connections: 1, Rate: 2000, Ratio: 0.1, Closed: latencies{0.65, 1, 2}, Fsync: 0.3},
			measurement{Workload: w.name, Rows: w.rows, Connections: 64, Rate: 4000, Ratio: 0.1, Closed: latencies{1, 2, 3}, Open: &latencies{5, 20, 30}})
	}
	r.Floors = r.judge()
	return r
}

func TestFloorsAreJudged(t *testing.T) {
	r := reported()
	counts := map[string]map[string]int{onSQLite: {}, onPostgreSQL: {}, "": {}}
	for _, f := range r.Floors {
		counts[f.Engine][f.Figure]++
		if f.Missed != (f.Engine == onPostgreSQL) {
			t.Errorf("judged wrongly: %v", f)
		}
	}
	want := map[string]map[string]int{
		onSQLite:     {ratioToCeiling: 12, halfLoadP99: 13, medianOfOne: 3, idleMemory: 1, mixMemory: 1, firstAnswer: 1},
		onPostgreSQL: {ratioToCeiling: 12, medianOfOne: 3, idleMemory: 1, mixMemory: 1, firstAnswer: 1},
		"":           {binarySize: 1},
	}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("judged were %v, not %v", counts, want)
	}
	var missed errMissed
	err := r.verdict()
	if !errors.As(err, &missed) || len(missed.floors) != 18 || !strings.HasPrefix(err.Error(), "18 floors were not reached:\n") {
		t.Errorf("the verdict is: %v", err)
	}
	if text := "postgres: client_credentials: ratio_to_ceiling 0.1, asked >= 0.43"; err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("the verdict does not say %q: %v", text, err)
	}
}

func TestAFloorIsReachedExactly(t *testing.T) {
	for _, c := range []struct {
		figure         string
		reached, asked float64
		missed         bool
	}{
		{ratioToCeiling, 0.50, 0.50, false},
		{ratioToCeiling, 0.4999, 0.50, true},
		{ratioToSmallest, 0.81, 0.80, false},
		{halfLoadP99, 5, 5, false},
		{halfLoadP99, 5.001, 5, true},
		{idleMemory, 29, 30, false},
	} {
		if f := newFloor(onSQLite, forCredentials, c.figure, c.reached, c.asked); f.Missed != c.missed {
			t.Errorf("%v: missed is %t", f, f.Missed)
		}
	}
	if halfLoadFloor(onSQLite, forRefreshRandom) != 10 {
		t.Error("the floor of random refreshes at half load is another")
	}
}

func TestWhatWasNotMeasuredIsNotJudged(t *testing.T) {
	r := &report{Connections: []int{16, 64}, Engines: []*engineReport{{
		Engine: onSQLite, Measurements: []measurement{{Workload: forCredentials, Connections: 16, Ratio: 0.01, Closed: latencies{Median: 9}}},
	}}}
	if floors := r.judge(); len(floors) != 0 {
		t.Errorf("judged were %v", floors)
	}
	if err := r.verdict(); err != nil {
		t.Errorf("the verdict is: %v", err)
	}
	r.Unmeasured = []string{"sqlite: revoke, random: the rows are used up"}
	if err := r.verdict(); err == nil || !strings.Contains(err.Error(), r.Unmeasured[0]) {
		t.Errorf("the verdict is: %v", err)
	}
}

func TestOnlyTheLargestStoreIsJudged(t *testing.T) {
	r := &report{Connections: []int{64}}
	for i, size := range []int{1000, 100_000, 10_000_000} {
		r.Growth = append(r.Growth, growthPoint{onSQLite, size, measurement{Workload: forChain, Connections: 64, Ratio: 0.4}, 1 - 0.15*float64(i)})
	}
	floors := r.judge()
	if len(floors) != 1 || !floors[0].Missed || floors[0].Figure != ratioToSmallest {
		t.Errorf("judged were %v", floors)
	}
}

func TestTheReportCanBeReadBack(t *testing.T) {
	r := reported()
	r.Growth = []growthPoint{{onSQLite, 1000, r.Engines[0].Measurements[1], 1}}
	r.Replicas = []replicaPoint{{2, r.Engines[1].Measurements[1], 0.9}}
	r.Turns = []turn{{onSQLite, true, r.Engines[0].Measurements[1]}}
	folder := filepath.Join(t.TempDir(), "new")
	if err := r.write(folder, "report"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read report
	if err := json.Unmarshal(raw, &read); err != nil || !reflect.DeepEqual(&read, r) {
		t.Errorf("another report was read than was written: %v", err)
	}
	for _, key := range []string{"requests_per_second", "p99_ms", "cpu_s_per_million", "ratio_to_ceiling", "first_answer_ms"} {
		if !bytes.Contains(raw, []byte(`"`+key+`": `)) {
			t.Errorf("the report has no %s", key)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "report.svg")); err != nil {
		t.Error(err)
	}
}

func TestThePlotIsXML(t *testing.T) {
	r := reported()
	plot := r.plot()
	elements, decoder := map[string]int{}, xml.NewDecoder(bytes.NewReader(plot))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, plot)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements[start.Name.Local]++
		}
	}
	// The ground, two of the legend, and a bar for each of 13 workloads on both engines.
	if elements["rect"] != 1+2+26 || elements["title"] != 1 || elements["desc"] != 1 {
		t.Errorf("the plot has %v", elements)
	}
	if !bytes.Contains(plot, []byte("client_credentials: SQLite 0.90 (asked 0.50) PostgreSQL 0.10 (asked 0.43).")) {
		t.Error("the plot does not say in words what it shows")
	}
}

func TestTheTableShowsWhatWasMissed(t *testing.T) {
	r := reported()
	r.Growth = []growthPoint{{onSQLite, 1000, r.Engines[0].Measurements[1], 1}}
	r.Replicas = []replicaPoint{{2, r.Engines[1].Measurements[1], 0.9}}
	first, again := r.Engines[0].Measurements[1], r.Engines[0].Measurements[1]
	first.Ratio, again.Ratio = 0.31, 0.33
	r.Turns = []turn{{onSQLite, false, first}, {onSQLite, true, r.Engines[0].Measurements[1]}, {onSQLite, false, again}}
	r.Floors = r.judge()
	var b strings.Builder
	r.print(&b)
	if got := strings.Count(b.String(), "MISSED"); got != 18 {
		t.Errorf("%d floors are marked, not 18:\n%s", got, b.String())
	}
	for _, text := range []string{"45,000/s", "exec to first answer", "2.00 (1.0)", "growth, at 64 connections", "servers on one PostgreSQL", "0.31 0.33             0.90"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the table has no %q:\n%s", text, b.String())
		}
	}
}
