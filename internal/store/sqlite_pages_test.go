package store

import (
	"slices"
	"testing"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"pgregory.net/rapid"
)

// heldPages is what the pages of a connection should be: what each was marked with and how
// often it was asked for, by its number, and which of them may make way, oldest first.
type heldPages struct {
	marks  map[uint32]byte
	asked  map[uint32]int
	unused []uint32
}

func (h *heldPages) ask(number uint32) {
	h.use(number)
	h.asked[number] = min(h.asked[number]+1, manyTimes)
}

func (h *heldPages) used(number uint32) bool {
	_, there := h.marks[number]
	return there && !slices.Contains(h.unused, number)
}

func (h *heldPages) use(number uint32) {
	h.unused = slices.DeleteFunc(h.unused, func(n uint32) bool { return n == number })
}

func (h *heldPages) drop(number uint32) {
	h.use(number)
	delete(h.marks, number)
	delete(h.asked, number)
}

// makeWay drops the oldest that was not asked for often.
func (h *heldPages) makeWay() {
	for h.asked[h.unused[0]] > fewTimes {
		h.asked[h.unused[0]] /= 2
		h.unused = append(h.unused[1:], h.unused[0])
	}
	h.drop(h.unused[0])
}

func TestPagesStayUntilOlderOnesHaveMadeWay(t *testing.T) {
	const limit, highest = 10, 20
	tls := libc.NewTLS()
	defer tls.Close()
	rapid.Check(t, func(t *rapid.T) {
		of := createPages(tls, 64, 32, 1)
		defer destroyPages(tls, of)
		limitPages(tls, of, limit)
		find := at[pages](of).find
		held, mark := heldPages{marks: map[uint32]byte{}, asked: map[uint32]int{}}, byte(0)
		numbers := rapid.Uint32Range(1, highest)
		several := rapid.SliceOfNDistinct(numbers, 1, highest, rapid.ID)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if got := int(countPages(tls, of)); got != len(held.marks) {
					t.Fatalf("%d pages, want %d", got, len(held.marks))
				}
				for number := range uint32(highest + 1) {
					p := find(number)
					mark, there := held.marks[number]
					if (p != nil) != there {
						t.Fatalf("page %d is there: %v, want %v", number, p != nil, there)
					}
					if there && *at[byte](p.shown.FpBuf) != mark {
						t.Fatalf("page %d holds something else", number)
					}
				}
			},
			"fetch": func(t *rapid.T) {
				create := rapid.Int32Range(0, 2).Draw(t, "create")
				for _, number := range several.Draw(t, "numbers") {
					_, there := held.marks[number]
					inUse := len(held.marks) - len(held.unused)
					refused := !there && (create == onlyLook || create == ifEasy && inUse >= limit-limit/10)
					p := fetchPage(tls, of, number, create)
					switch {
					case (p == 0) != refused:
						t.Fatalf("page %d is refused: %v, want %v", number, p == 0, refused)
					case refused:
						continue
					case !there:
						if len(held.marks) >= limit && len(held.unused) > 0 {
							held.makeWay()
						}
						extra := at[uintptr](at[page](p).shown.FpExtra)
						if *extra != 0 {
							t.Fatal("a new page does not look new")
						}
						mark++
						*extra, *at[byte](at[page](p).shown.FpBuf) = 1, mark
						held.marks[number] = mark
					}
					held.ask(number)
				}
			},
			"unpin": func(t *rapid.T) {
				discard := rapid.Int32Range(0, 1).Draw(t, "discard")
				for _, number := range several.Draw(t, "numbers") {
					if !held.used(number) {
						continue
					}
					unpinPage(tls, of, address(find(number)), discard)
					if discard != 0 || len(held.marks) > limit {
						held.drop(number)
					} else {
						held.unused = append(held.unused, number)
					}
				}
			},
			"renumber": func(t *rapid.T) {
				all := several.Draw(t, "numbers")
				from := slices.IndexFunc(all, held.used)
				to := slices.IndexFunc(all, func(number uint32) bool { return slices.Contains(held.unused, number) })
				if from < 0 || to < 0 {
					return
				}
				renumberPage(tls, of, address(find(all[from])), all[from], all[to])
				held.drop(all[to])
				held.asked[all[to]] = held.asked[all[from]]
				held.marks[all[to]] = held.marks[all[from]]
				held.drop(all[from])
			},
			"truncate": func(t *rapid.T) {
				from := numbers.Draw(t, "from")
				truncatePages(tls, of, from)
				for number := from; number <= highest; number++ {
					held.drop(number)
				}
			},
			"shrink": func(*rapid.T) {
				shrinkPages(tls, of)
				for len(held.unused) > 0 {
					held.drop(held.unused[0])
				}
			},
		})
	})
}

func TestSQLiteKeepsItsPagesWhereItWasTold(t *testing.T) {
	s := openForTest(t)
	err := s.engine.transact(t.Context(), func(tx *transaction) error {
		_, err := tx.exec(`with recursive n(n) as (select 1 union all select n + 1 from n where n < 1000)
			insert into settings select n, hex(zeroblob(2000)) from n`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tls := libc.NewTLS()
	defer tls.Close()
	numbers := libc.Xcalloc(tls, 2, 8)
	defer libc.Xfree(tls, numbers)
	// What its own cache has, and a page for each connection in any case.
	lib.Xsqlite3_status64(tls, lib.SQLITE_STATUS_PAGECACHE_OVERFLOW, numbers, numbers+8, 0)
	if bytes := *at[int64](numbers); bytes > 100_000 {
		t.Fatalf("SQLite has pages in %d bytes of its own", bytes)
	}
}
