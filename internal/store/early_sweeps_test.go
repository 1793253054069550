package store

import (
	"slices"
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// TestRowsOfOneMomentAreSweptTogether counts the ids that each row of the table names.
func TestRowsOfOneMomentAreSweptTogether(t *testing.T) {
	t.Parallel()
	first, second := time.UnixMilli(1_800_000_000_000), time.UnixMilli(1_800_000_000_001)
	for _, c := range []struct {
		name    string
		moments []time.Time
		want    []int
	}{
		{"none", nil, nil},
		{"one that is not swept early", []time.Time{{}}, nil},
		{"one moment", slices.Repeat([]time.Time{first}, 3), []int{3}},
		{"two moments in turn", []time.Time{first, second, first, second, first}, []int{3, 2}},
		{"more than fit", slices.Repeat([]time.Time{first}, 2*sweptTogether+1), []int{sweptTogether, sweptTogether, 1}},
		{"more than fit, and another moment", append(slices.Repeat([]time.Time{first}, sweptTogether), second, first), []int{sweptTogether, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var all earlySweeps
			var named []byte
			for i, at := range c.moments {
				all.add(at, oauth.ID{byte(i)})
			}
			var got []int
			for _, e := range all {
				got = append(got, len(e.ids)/len(oauth.ID{}))
				for id := range slices.Chunk(e.ids, len(oauth.ID{})) {
					named = append(named, id[0])
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%d ids are named together; want %d", got, c.want)
			}
			slices.Sort(named)
			if len(slices.Compact(named)) != len(named) {
				t.Errorf("an id is named twice: %d", named)
			}
		})
	}
}
