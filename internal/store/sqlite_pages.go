package store

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// SQLite's own page cache, as the library builds it, is one for all connections of the
// process: pages of a connection that has nothing to do stay, while one that is busy has to
// drop each page as soon as it has read it. So each connection has pages here, which nobody
// else takes (https://sqlite.org/c3ref/pcache_methods2.html). SQLite uses those of a
// connection from one goroutine at a time.
//
// All of it lies outside of Go's memory, as SQLite holds pointers to it. No pointer in it
// outlives what it points to: Go's collector may look at one that is overwritten.

// page is a page of a database in memory. Its beginning is what SQLite knows of it.
type page struct {
	shown  lib.Tsqlite3_pcache_page
	number uint32
	// asked is how often it was asked for, up to manyTimes; halved when it is passed over.
	asked uint32
	// next is the next one in the same bucket, or the next spare one.
	next *page
	// newer and older are neighbours among those that are not in use, nil in one that is.
	newer, older *page
}

// pages are those of one connection.
type pages struct {
	pageSize, extraSize types.Size_t
	// max is how many may be kept; SQLite may use more than that.
	max, count int
	// unused is the ring of those that may make way: its newer one is the oldest of them.
	unused      page
	unusedCount int
	// buckets find a page by its number; there is a power of two of them, or none.
	buckets     *[1 << 24]*page
	bucketCount uint32
	// highest is at least the highest number.
	highest uint32
	// spare is memory of pages that were dropped.
	spare      *page
	spareCount int
}

// usePages makes SQLite use them for all of this process. It does nothing when a
// connection was opened before, by whoever uses SQLite beside us.
var usePages = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	allocated := libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(lib.Tsqlite3_pcache_methods2{})))
	if allocated == 0 {
		return errors.New("set up SQLite's pages: out of memory")
	}
	defer libc.Xfree(tls, allocated)
	// Its own cache is begun all the same (FxInit): SQLite counts other memory under its lock.
	code := configure(tls, lib.SQLITE_CONFIG_GETPCACHE2, allocated)
	m := at[lib.Tsqlite3_pcache_methods2](allocated)
	m.FxCreate, m.FxDestroy = function(createPages), function(destroyPages)
	m.FxCachesize, m.FxPagecount = function(limitPages), function(countPages)
	m.FxFetch, m.FxUnpin, m.FxRekey = function(fetchPage), function(unpinPage), function(renumberPage)
	m.FxTruncate, m.FxShrink = function(truncatePages), function(shrinkPages)
	if code == lib.SQLITE_OK {
		code = configure(tls, lib.SQLITE_CONFIG_PCACHE2, allocated)
	}
	if code != lib.SQLITE_OK && code != lib.SQLITE_MISUSE {
		return fmt.Errorf("set up SQLite's pages: error %d", code)
	}
	return nil
})

func configure(tls *libc.TLS, option int32, argument uintptr) (code int32) {
	arguments := libc.NewVaList(argument)
	defer libc.Xfree(tls, arguments)
	return lib.Xsqlite3_config(tls, option, arguments)
}

// function is how SQLite, translated to Go, calls a function that is no closure.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// at is what SQLite's pointer points to.
func at[T any](pointer uintptr) *T { return *(**T)(unsafe.Pointer(&pointer)) }

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func createPages(tls *libc.TLS, pageSize, extraSize, _ int32) uintptr {
	allocated := libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(pages{})))
	if allocated != 0 {
		c := at[pages](allocated)
		c.pageSize, c.extraSize = types.Size_t(pageSize), types.Size_t(extraSize)
		c.unused.newer, c.unused.older = &c.unused, &c.unused
	}
	return allocated
}

func limitPages(tls *libc.TLS, of uintptr, limit int32) {
	c := at[pages](of)
	c.max = int(limit)
	for c.count > c.max && c.unusedCount > 0 {
		c.drop(tls, c.unused.newer)
	}
}

func countPages(_ *libc.TLS, of uintptr) int32 { return int32(at[pages](of).count) }

// What SQLite wants of a page that is not there.
const (
	onlyLook = 0 // nothing
	ifEasy   = 1 // to have it, unless it could rather write down one that was changed
)

func fetchPage(tls *libc.TLS, of uintptr, number uint32, create int32) uintptr {
	c := at[pages](of)
	p := c.find(number)
	switch {
	case p != nil:
		if p.newer != nil {
			c.use(p)
		}
		p.asked = min(p.asked+1, manyTimes)
		return address(p)
	case create == onlyLook, create == ifEasy && c.count-c.unusedCount >= c.max-c.max/10:
		return 0
	}
	if c.count >= c.max && c.unusedCount > 0 {
		p = c.makeWay()
	} else if p = c.allocate(tls); p == nil {
		return 0
	}
	if c.count >= int(c.bucketCount) && !c.spread(tls) {
		c.free(tls, p)
		return 0
	}
	// SQLite knows by this that the page is new.
	*at[uintptr](p.shown.FpExtra) = 0
	p.asked = 1
	c.add(p, number)
	return address(p)
}

func unpinPage(tls *libc.TLS, of, pinned uintptr, discard int32) {
	c, p := at[pages](of), at[page](pinned)
	if discard != 0 || c.count > c.max {
		c.drop(tls, p)
		return
	}
	c.yield(p)
}

func renumberPage(tls *libc.TLS, of, renumbered uintptr, _, number uint32) {
	c, p := at[pages](of), at[page](renumbered)
	if there := c.find(number); there != nil && there != p {
		c.drop(tls, there)
	}
	c.remove(p)
	c.add(p, number)
}

func truncatePages(tls *libc.TLS, of uintptr, from uint32) {
	c := at[pages](of)
	if from > c.highest {
		return
	}
	for i := range c.bucketCount {
		for p := c.buckets[i]; p != nil; {
			next := p.next
			if p.number >= from {
				c.drop(tls, p)
			}
			p = next
		}
	}
	c.highest = max(from, 1) - 1
}

func destroyPages(tls *libc.TLS, of uintptr) {
	c := at[pages](of)
	c.max = 0
	truncatePages(tls, of, 0)
	shrinkPages(tls, of)
	libc.Xfree(tls, address(c.buckets))
	libc.Xfree(tls, of)
}

func shrinkPages(tls *libc.TLS, of uintptr) {
	c := at[pages](of)
	for c.unusedCount > 0 {
		c.drop(tls, c.unused.newer)
	}
	for c.spare != nil {
		p := c.spare
		c.spare = p.next
		c.spareCount--
		freePage(tls, p)
	}
}

func (c *pages) find(number uint32) *page {
	if c.bucketCount == 0 {
		return nil
	}
	p := c.buckets[number&(c.bucketCount-1)]
	for p != nil && p.number != number {
		p = p.next
	}
	return p
}

// use takes a page out of the ring of those that may make way.
func (c *pages) use(p *page) {
	p.newer.older, p.older.newer = p.older, p.newer
	p.newer, p.older = nil, nil
	c.unusedCount--
}

// An operation asks for the page of its row at most fewTimes: to read it, and to write it.
// A page that was asked for more often leads to others.
const fewTimes, manyTimes = 2, 16

// makeWay takes out the oldest page that may make way, but for those that lead to others:
// they become the newest, and count for less each time.
func (c *pages) makeWay() *page {
	p := c.unused.newer
	for p.asked > fewTimes {
		p.asked /= 2
		c.use(p)
		c.yield(p)
		p = c.unused.newer
	}
	c.use(p)
	c.remove(p)
	return p
}

// yield makes a page the newest of those that may make way.
func (c *pages) yield(p *page) {
	p.newer, p.older = &c.unused, c.unused.older
	p.newer.older, p.older.newer = p, p
	c.unusedCount++
}

func (c *pages) add(p *page, number uint32) {
	bucket := &c.buckets[number&(c.bucketCount-1)]
	p.number, p.next = number, *bucket
	*bucket = p
	c.count++
	c.highest = max(c.highest, number)
}

// remove takes a page out of its bucket.
func (c *pages) remove(p *page) {
	bucket := &c.buckets[p.number&(c.bucketCount-1)]
	for *bucket != p {
		bucket = &(*bucket).next
	}
	*bucket = p.next
	c.count--
}

// drop removes a page; its memory is kept for another one.
func (c *pages) drop(tls *libc.TLS, p *page) {
	if p.newer != nil {
		c.use(p)
	}
	c.remove(p)
	c.free(tls, p)
}

func (c *pages) free(tls *libc.TLS, p *page) {
	if c.count+c.spareCount >= c.max {
		freePage(tls, p)
		return
	}
	p.next, c.spare = c.spare, p
	c.spareCount++
}

func freePage(tls *libc.TLS, p *page) {
	libc.Xfree(tls, p.shown.FpBuf)
	libc.Xfree(tls, address(p))
}

// allocate is nil when there is no memory.
func (c *pages) allocate(tls *libc.TLS) *page {
	if p := c.spare; p != nil {
		c.spare = p.next
		c.spareCount--
		return p
	}
	// The buffer is apart, as memory is handed out in powers of two.
	buffer := libc.Xmalloc(tls, c.pageSize)
	allocated := libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(page{}))+c.extraSize)
	if buffer == 0 || allocated == 0 {
		libc.Xfree(tls, buffer)
		libc.Xfree(tls, allocated)
		return nil
	}
	p := at[page](allocated)
	p.shown.FpBuf, p.shown.FpExtra = buffer, allocated+unsafe.Sizeof(page{})
	return p
}

// spread doubles the buckets, unless there is no memory.
func (c *pages) spread(tls *libc.TLS) bool {
	before, n := c.buckets, max(2*c.bucketCount, 256)
	allocated := libc.Xcalloc(tls, types.Size_t(n), types.Size_t(unsafe.Sizeof(before)))
	if allocated == 0 || n > uint32(len(c.buckets)) {
		libc.Xfree(tls, allocated)
		return false
	}
	from := c.bucketCount
	c.buckets, c.bucketCount, c.count = at[[1 << 24]*page](allocated), n, 0
	for i := range from {
		for p := before[i]; p != nil; {
			next := p.next
			c.add(p, p.number)
			p = next
		}
	}
	libc.Xfree(tls, address(before))
	return true
}
