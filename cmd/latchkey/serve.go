package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/latchkey/latchkey/internal/store"
)

func serveCommand(c *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the provider",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.serving = true
			outliveReaders()
			return c.serve(cmd.Context())
		},
	}
	c.serverFlags(cmd.Flags())
	return cmd
}

func (c *config) serve(ctx context.Context) (err error) {
	if err := c.checkIssuer(); err != nil {
		return err
	}
	begun := false
	defer func() { err = c.unlessInterrupted(ctx, begun, err) }()
	h, err := c.open(ctx)
	if err != nil {
		return err
	}
	h.meter.Start(ctx)
	defer func() { err = errors.Join(err, h.meter.Close(ctx), h.store.Close()) }()
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", c.listen, err)
	}
	defer listener.Close()
	issuer, err := c.issuerFor(listener.Addr())
	if err != nil {
		return err
	}
	s, err := h.server(ctx, c, issuer)
	if err != nil {
		return err
	}
	if err := h.leaveScopes(ctx, c); err != nil {
		return err
	}
	if err := h.noticeKey(ctx); err != nil {
		return err
	}
	link, err := h.beginFirstRun(ctx, issuer)
	if err != nil {
		return err
	}
	stopMetrics, err := c.serveMetrics(h)
	if err != nil {
		return err
	}
	defer stopMetrics()
	defer h.deliver(ctx)()
	fmt.Fprintf(c.out, "listening on http://%s\n", c.listeningOn(listener.Addr()))
	if link != "" {
		fmt.Fprintf(c.out, "first run: open %s\n", link)
	}
	go h.awaitFirstRun(ctx, c)
	go keepHeadroom(ctx)
	if c.database == "" {
		c.spareProcessor()
	}
	begun = true
	h.log.Info("serving", "issuer", issuer, "data", c.data, "database", c.databaseName())
	return s.Serve(ctx, listener)
}

// unlessInterrupted is the error of a server, or of a demo, that was not told to end before it
// served anything.
func (c *config) unlessInterrupted(ctx context.Context, begun bool, err error) error {
	if err == nil || begun || ctx.Err() == nil {
		return err
	}
	c.logger().Info("shutting down before anything was served", "cause", context.Cause(ctx), "interrupted", err)
	return nil
}

// outliveReaders lets a server go on, and end as it should, when nobody reads what it writes
// any more: Ctrl-C behind `| tee` ends tee first.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }

// databaseName is the file of a SQLite, or the host and the name of a PostgreSQL without the
// password.
func (c *config) databaseName() string {
	if c.database == "" {
		return filepath.Join(c.data, store.DatabaseFile)
	}
	at, err := pgconn.ParseConfig(c.database)
	if err != nil {
		return "" // the store could not have been opened
	}
	return net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))) + "/" + cmp.Or(at.Database, at.User)
}

// checkIssuer refuses a wrong issuer before anything is touched.
func (c *config) checkIssuer() error {
	_, err := c.issuerFor(&net.TCPAddr{})
	return err
}

// listeningOn is the host as it was given, with the port that was picked.
func (c *config) listeningOn(actual net.Addr) string {
	host, _, err := net.SplitHostPort(c.listen)
	actualHost, port, actualErr := net.SplitHostPort(actual.String())
	if err != nil || actualErr != nil {
		return actual.String()
	}
	if host == "" {
		host = actualHost
	}
	return net.JoinHostPort(host, port)
}

func versionCommand(c *config) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version, toolchain := "unknown", ""
			if info, ok := debug.ReadBuildInfo(); ok {
				version, toolchain = info.Main.Version, info.GoVersion
			}
			_, err := fmt.Fprintln(c.out, "latchkey", version, toolchain)
			return err
		},
	}
}
