package store

import (
	"encoding/binary"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rawRow reads the values of a row as PostgreSQL sent them. The driver looks for the way to
// convert each column anew for each query, which costs more than the few rows of a group.
type rawRow struct{ rows pgx.Rows }

// Scan leaves the row to the driver where it holds anything else than what is read often.
func (r rawRow) Scan(dest ...any) error {
	values, columns := r.rows.RawValues(), r.rows.FieldDescriptions()
	for i, d := range dest {
		if i >= len(values) || values[i] == nil || !convert(d, values[i], &columns[i]) {
			return r.rows.Scan(dest...)
		}
	}
	return nil
}

// convert reports whether it could set dest.
func convert(dest any, raw []byte, column *pgconn.FieldDescription) bool {
	switch d := dest.(type) {
	case fixed:
		return column.DataTypeOID == pgtype.ByteaOID && column.Format == pgtype.BinaryFormatCode && d.set(raw)
	case millis:
		n, ok := integer(raw, column)
		if ok {
			*d.t = fromMillis(n)
		}
		return ok
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		return false
	}
	v = v.Elem()
	if v.Kind() == reflect.String {
		if column.DataTypeOID != pgtype.TextOID {
			return false
		}
		v.SetString(string(raw))
		return true
	}
	n, ok := integer(raw, column)
	return ok && (v.Kind() == reflect.Bool) == (column.DataTypeOID == pgtype.BoolOID) && setNumber(v, n)
}

// integer is a number, or 0 and 1 for a truth.
func integer(raw []byte, column *pgconn.FieldDescription) (int64, bool) {
	if column.Format != pgtype.BinaryFormatCode {
		return 0, false
	}
	switch {
	case column.DataTypeOID == pgtype.Int8OID && len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), true
	case column.DataTypeOID == pgtype.Int4OID && len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), true
	case column.DataTypeOID == pgtype.Int2OID && len(raw) == 2:
		return int64(int16(binary.BigEndian.Uint16(raw))), true
	case column.DataTypeOID == pgtype.BoolOID && len(raw) == 1:
		return int64(raw[0]), true
	}
	return 0, false
}
