package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	binding "zombiezen.com/go/sqlite"
)

// connection is one connection to SQLite, on which each statement is prepared once. It
// is bound thinly: database/sql and a driver cost a third of an insert, mostly for
// values that are copied from one form into the next. One goroutine uses it at a time.
type connection struct {
	binding  *binding.Conn
	prepared map[string]*statement
	// ran hears of each statement, where it is not nil.
	ran func(sql string)
}

// busyTimeout is how long a statement waits for another process.
const busyTimeout = 5 * time.Second

// sqlitePragmas are for every connection. An acknowledged write survives a power cut
// (synchronous=FULL); small checkpoints keep the slowest writes short.
const sqlitePragmas = `journal_mode(WAL) synchronous(FULL) foreign_keys(1) wal_autocheckpoint(128) journal_size_limit(67108864)`

// openConnection opens a database that exists.
func openConnection(path, extraPragmas string, ran func(string)) (*connection, error) {
	if err := provideLogFileSystem(); err != nil {
		return nil, err
	}
	opened, err := binding.OpenConn(databaseURL(path)+"?vfs="+logFileSystemName, binding.OpenReadWrite, binding.OpenURI)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	opened.SetBusyTimeout(busyTimeout)
	if err := addKeyFunction(opened); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the database's connection: %w", err), opened.Close())
	}
	c := &connection{binding: opened, prepared: map[string]*statement{}}
	for pragma := range strings.FieldsSeq(sqlitePragmas + " " + extraPragmas) {
		if _, err := c.ExecContext(context.Background(), "pragma "+pragma); err != nil {
			_ = opened.Close()
			return nil, fmt.Errorf("set up the database's connection: %w", err)
		}
	}
	c.ran = ran
	return c, nil
}

// close ends what was prepared, too.
func (c *connection) close() error { return c.binding.Close() }

// statement is ready to be bound to values, run and read, each from left to right. Its
// first error ends it, so that only the last step has to be asked for one.
type statement struct {
	on      *connection
	binding *binding.Stmt
	// arguments says for each parameter which argument it takes: ?, ? or $2, $1.
	arguments []int
	// parameter and column are where binding and reading go on.
	parameter, column int
	// begun: it has rows, and may not be run for somebody else.
	begun bool
	err   error
}

// statement finds or prepares one. What is wrong with it shows itself when it is run.
func (c *connection) statement(query string) *statement {
	if c.ran != nil {
		c.ran(query)
	}
	s := c.prepared[query]
	switch {
	case s == nil:
		return c.prepare(query)
	case s.begun:
		return &statement{err: fmt.Errorf("%s: it is still being read", query)}
	}
	// Whoever was given it last may have left it alone.
	s.parameter, s.err = 0, nil
	return s
}

func (c *connection) prepare(query string) *statement {
	b, err := c.binding.Prepare(query)
	if err != nil {
		return &statement{err: err}
	}
	s := &statement{on: c, binding: b, arguments: make([]int, b.BindParamCount())}
	for i := range s.arguments {
		s.arguments[i] = i
		if number, ok := strings.CutPrefix(b.BindParamName(i+1), "$"); ok {
			n, err := strconv.Atoi(number)
			if err != nil {
				return &statement{err: fmt.Errorf("%s: a parameter is no number: %w", query, err)}
			}
			s.arguments[i] = n - 1
		}
	}
	c.prepared[query] = s
	return s
}

// fail keeps the first error.
func (s *statement) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// blob binds bytes, which are copied.
func (s *statement) blob(b []byte) *statement {
	if s.parameter++; s.err == nil {
		s.binding.BindBytes(s.parameter, b)
	}
	return s
}

// text binds a string.
func (s *statement) text(t string) *statement {
	if s.parameter++; s.err == nil {
		s.binding.BindText(s.parameter, t)
	}
	return s
}

// number binds an integer.
func (s *statement) number(n int64) *statement {
	if s.parameter++; s.err == nil {
		s.binding.BindInt64(s.parameter, n)
	}
	return s
}

// moment binds a time.
func (s *statement) moment(t time.Time) *statement { return s.number(toMillis(t)) }

// run runs a statement whose rows nobody wants, and returns how many it changed.
func (s *statement) run() (changed int64, err error) {
	for s.next() {
	}
	if s.err == nil {
		changed = int64(s.on.binding.Changes())
	}
	return changed, s.end()
}

// next goes to the next row, the first one at first.
func (s *statement) next() bool {
	if s.err == nil && s.parameter != len(s.arguments) {
		s.fail(fmt.Errorf("%d values are given for %d parameters", s.parameter, len(s.arguments)))
	}
	if s.err != nil {
		return false
	}
	s.column = 0
	if s.begun, s.err = s.binding.Step(); s.err != nil {
		s.begun = false
	}
	return s.begun
}

// end makes the statement ready to be run again, and returns what was wrong.
func (s *statement) end() error {
	err := s.err
	if s.binding != nil {
		// Its error is the one that next had.
		_ = s.binding.Reset()
	}
	s.parameter, s.begun, s.err = 0, false, nil
	return err
}

// readFixed reads a blob of the size of an array; an empty one leaves it zero.
func (s *statement) readFixed(to []byte) {
	switch n := s.binding.ColumnLen(s.column); n {
	case 0:
		clear(to)
	case len(to):
		s.binding.ColumnBytes(s.column, to)
	default:
		s.fail(fmt.Errorf("a column holds %d bytes instead of %d", n, len(to)))
	}
	s.column++
}

func (s *statement) readText() string {
	t := s.binding.ColumnText(s.column)
	s.column++
	return t
}

func (s *statement) readNumber() int64 {
	n := s.binding.ColumnInt64(s.column)
	s.column++
	return n
}

func (s *statement) readTime() time.Time { return fromMillis(s.readNumber()) }
