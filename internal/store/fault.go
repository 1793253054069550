package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	binding "zombiezen.com/go/sqlite"

	"github.com/latchkey/latchkey/internal/oauth"
)

// fault tells a database that cannot be reached, or cannot write, from one that
// was asked something wrong: the first is an answer of the protocol, and waiting
// helps.
func fault(err error) error {
	if err == nil {
		return nil
	}
	var refusal *oauth.Error
	var fromPostgres *pgconn.PgError
	var connecting *pgconn.ConnectError
	switch {
	case errors.As(err, &refusal), errors.Is(err, context.Canceled), errors.Is(err, errUnknownOutcome):
		return err
	case errors.As(err, &connecting), errors.As(err, &fromPostgres) && isOutage(err), isBroken(err):
		return errDown(err)
	}
	switch binding.ErrCode(err).ToPrimary() {
	case binding.ResultFull, binding.ResultIOErr, binding.ResultBusy, binding.ResultCantOpen:
		return errDown(err)
	}
	return err
}

// errDown is the answer when the database does not.
func errDown(cause error) error {
	down := oauth.NewError(oauth.Unavailable, "the server cannot reach its database; try again in a few seconds")
	var answer *pgconn.PgError
	if errors.As(cause, &answer) && answer.Code == tookTooLong {
		down = oauth.NewError(oauth.Unavailable, "the database did not answer in time; try again in a few seconds")
	}
	down.RetryAfter, down.Cause = 2*time.Second, cause
	return down
}

// isBroken reports whether a connection ended, or was waited for too long.
func isBroken(err error) bool {
	var network net.Error
	return errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}
