// Command latchkey is the OAuth 2.0 provider and the tool that runs it. This
// package has the commands, the configuration, and the wiring of all rooms.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// Whoever starts a command with nohup wants it to outlive the terminal.
	if !signal.Ignored(syscall.SIGHUP) {
		stops = append(stops, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}))
}

// terminal is where a command reads and writes.
type terminal struct {
	in       *os.File
	out, err io.Writer
	env      func(string) (string, bool)
}

// usageError is a command that was called wrongly.
type usageError struct{ error }

// fileError is something wrong in the configuration file.
type fileError struct{ error }

// run executes one command and returns the exit status: 0, 1 for a failure, 2
// for wrong usage.
func run(ctx context.Context, args []string, t terminal) int {
	root := commands(t)
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	refuseUnknownTopics(root)
	began := false
	markBeginning(root, &began)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(t.err, "latchkey:", printable(err.Error()))
	var usage usageError
	var file fileError
	// What fails before a command's own code began is about how it was called,
	// unless it is about the configuration file.
	if errors.As(err, &usage) || !began && !errors.As(err, &file) {
		return 2
	}
	return 1
}

// printable keeps an error on one line, whatever input it repeats.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// commands builds the tree.
func commands(t terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           "latchkey",
		Short:         "An OAuth 2.0 provider for platforms",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          needsCommand,
	}
	c := &config{terminal: t}
	flags := root.PersistentFlags()
	flags.StringVar(&c.file, "config", "", "YAML file with the configuration")
	flags.StringVar(&c.data, "data", "./latchkey-data", "folder with the database and the server key")
	flags.StringVar(&c.database, "database", "", "URL of a PostgreSQL, postgres://..., instead of SQLite in the data folder")
	flags.StringVar(&c.keyFile, "server-key-file", "", "file with the server key, shared by replicas (default: server.key in the data folder)")
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if isAboutProgram(cmd) {
			return nil
		}
		if err := c.load(cmd); err != nil {
			return err
		}
		return checkText(cmd.Flags(), args)
	}
	root.AddCommand(serveCommand(c), demoCommand(c), accountCommand(c), applicationCommand(c), authorizationCommand(c), backupCommand(c), restoreCommand(c), versionCommand(c))
	return root
}

// isAboutProgram reports whether a command says the same whatever is configured, so that a
// configuration which cannot be read is no reason to fail.
func isAboutProgram(cmd *cobra.Command) bool {
	for cmd.HasParent() && cmd.Parent().HasParent() {
		cmd = cmd.Parent()
	}
	return slices.Contains([]string{"version", "help", "completion", cobra.ShellCompRequestCmd}, cmd.Name())
}

// refuseUnknownTopics makes wrong usage of what the library's own commands do not know.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, topic []string) error {
				if _, rest, err := root.Find(topic); err != nil || len(rest) > 0 {
					return usageError{fmt.Errorf("there is no help about %q", strings.Join(topic, " "))}
				}
				return nil
			}
		case "completion":
			cmd.RunE = needsCommand
		}
	}
}

// checkText refuses an argument that names nothing, as an unset variable of a shell does, and
// on every engine what PostgreSQL cannot keep.
func checkText(flags *pflag.FlagSet, args []string) error {
	isText := func(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
	for _, arg := range args {
		if arg == "" {
			return usageError{errors.New("an argument is empty")}
		}
		if !isText(arg) {
			return usageError{fmt.Errorf("the argument %q is not UTF-8 text", arg)}
		}
	}
	var problem error
	flags.VisitAll(func(f *pflag.Flag) {
		// The value may be secret.
		if !isText(f.Value.String()) {
			problem = usageError{fmt.Errorf("the value of --%s is not UTF-8 text", f.Name)}
		}
	})
	return problem
}

// markBeginning makes began true when a command's own code begins.
func markBeginning(cmd *cobra.Command, began *bool) {
	if own := cmd.RunE; own != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return own(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		markBeginning(child, began)
	}
}

// needsCommand is what a command does that only has commands below it.
func needsCommand(cmd *cobra.Command, _ []string) error {
	return usageError{fmt.Errorf("say what to do: see '%s --help'", cmd.CommandPath())}
}

func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: needsCommand}
	cmd.AddCommand(children...)
	return cmd
}
