package store

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"

	binding "zombiezen.com/go/sqlite"
)

// ExecContext runs a statement and returns how many rows it changed. Nothing
// interrupts it: what runs here is over soon.
func (c *connection) ExecContext(_ context.Context, query string, args ...any) (int64, error) {
	return c.statement(query).bind(args).run()
}

// QueryContext runs a query for several rows.
func (c *connection) QueryContext(_ context.Context, query string, args ...any) (rows, error) {
	s := c.statement(query).bind(args)
	if s.err != nil {
		return nil, s.end()
	}
	return s, nil
}

// QueryRowContext runs a query whose first row is wanted.
func (c *connection) QueryRowContext(_ context.Context, query string, args ...any) row {
	return (*firstRow)(c.statement(query).bind(args))
}

// firstRow is a statement that is run when its first row is scanned.
type firstRow statement

// Scan reads the row, or returns sql.ErrNoRows as every engine does.
func (f *firstRow) Scan(dest ...any) error {
	s := (*statement)(f)
	if !s.next() {
		s.fail(sql.ErrNoRows)
	} else if err := s.Scan(dest...); err != nil {
		s.fail(err)
	}
	return s.end()
}

// Next goes to the next row.
func (s *statement) Next() bool { return s.next() }

// Err tells why Next found no row.
func (s *statement) Err() error { return s.err }

// Close lets the statement be run again.
func (s *statement) Close() error { return s.end() }

// Scan reads the row that Next went to.
func (s *statement) Scan(dest ...any) error {
	for i, d := range dest {
		if err := s.scan(i, d); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func (s *statement) scan(column int, dest any) error {
	switch d := dest.(type) {
	case *string:
		*d = s.binding.ColumnText(column)
	case *int64:
		*d = s.binding.ColumnInt64(column)
	case *bool:
		*d = s.binding.ColumnInt64(column) != 0
	case *[]byte:
		*d = s.bytes(column)
	case fixed:
		s.column = column
		s.readFixed(d)
		return s.err
	case millis:
		*d.t = fromMillis(s.binding.ColumnInt64(column))
	case sql.Scanner:
		return d.Scan(s.value(column))
	default:
		return s.scanKind(column, dest)
	}
	return nil
}

// scanKind reads into what is like a string, a number or a truth.
func (s *statement) scanKind(column int, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		return fmt.Errorf("%T cannot be scanned into", dest)
	}
	v = v.Elem()
	if v.Kind() == reflect.String {
		v.SetString(s.binding.ColumnText(column))
	} else if !setNumber(v, s.binding.ColumnInt64(column)) {
		return fmt.Errorf("%T cannot be scanned into", dest)
	}
	return nil
}

func (s *statement) bytes(column int) []byte {
	b := make([]byte, s.binding.ColumnLen(column))
	s.binding.ColumnBytes(column, b)
	return b
}

// value is what a driver of database/sql would pass on.
func (s *statement) value(column int) any {
	switch s.binding.ColumnType(column) {
	case binding.TypeInteger:
		return s.binding.ColumnInt64(column)
	case binding.TypeFloat:
		return s.binding.ColumnFloat(column)
	case binding.TypeText:
		return s.binding.ColumnText(column)
	case binding.TypeBlob:
		return s.bytes(column)
	}
	return nil
}

// bind binds the parameters to arguments, by their numbers where they have some.
func (s *statement) bind(args []any) *statement {
	for _, n := range s.arguments {
		if n >= len(args) {
			break
		}
		s.bindAny(args[n])
	}
	if s.err == nil && len(args) > len(s.arguments) {
		s.fail(fmt.Errorf("%d values are given for %d parameters", len(args), len(s.arguments)))
	}
	return s
}

func (s *statement) bindAny(arg any) {
	switch a := arg.(type) {
	case []byte:
		s.blob(a)
		return
	case string:
		s.text(storable(a))
		return
	case int64:
		s.number(a)
		return
	}
	switch v := reflect.ValueOf(arg); {
	case v.Kind() == reflect.String:
		s.text(storable(v.String()))
	case v.CanInt():
		s.number(v.Int())
	case v.CanUint():
		s.number(int64(v.Uint()))
	case v.Kind() == reflect.Bool && v.Bool():
		s.number(1)
	case v.Kind() == reflect.Bool:
		s.number(0)
	default:
		s.parameter++
		s.fail(fmt.Errorf("a parameter cannot be %T", arg))
	}
}
