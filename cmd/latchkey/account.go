package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/latchkey/latchkey/internal/account"
	"github.com/latchkey/latchkey/internal/oauth"
)

func accountCommand(c *config) *cobra.Command {
	return group("account", "Create, list and change accounts",
		accountCreate(c), accountList(c), accountSetPassword(c),
		accountSwitch(c, "disable", "disabled", "Switch an account off: no sign-in, and none of its tokens works", (*account.Accounts).Disable),
		accountSwitch(c, "enable", "enabled", "Undo disable", (*account.Accounts).Enable),
		accountSwitch(c, "promote", "promoted", "Make an account an administrator", (*account.Accounts).MakeAdministrator),
		accountSwitch(c, "demote", "demoted", "Undo promote", (*account.Accounts).UnmakeAdministrator))
}

// accountView is an account as commands print it.
type accountView struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Username  string    `json:"username"`
	Name      string    `json:"name"`
	Admin     bool      `json:"admin"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

func viewAccount(a oauth.Account) accountView {
	return accountView{a.ID.String(), a.Email, a.Username, a.Name, a.Administrator, a.Disabled, a.CreatedAt}
}

func accountCreate(c *config) *cobra.Command {
	var r account.Registration
	var stdin bool
	cmd := &cobra.Command{
		Use:   "create --email E --name N",
		Short: "Create an account",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		c.founding = true
		if r.Password, err = c.readPassword(cmd.Context(), stdin); err != nil {
			return err
		}
		return c.onData(func(ctx context.Context, h *house, _ []string) error {
			made, err := h.accounts.Create(ctx, r)
			if err != nil {
				return sentence(err)
			}
			return c.done(viewAccount(made), "created the account %s (%s) with the id %s", made.Email, made.Username, made.ID)
		})(cmd, args)
	}
	flags := cmd.Flags()
	flags.StringVar(&r.Email, "email", "", "email address, for signing in")
	flags.StringVar(&r.Name, "name", "", "name, as people see it")
	flags.StringVar(&r.Username, "username", "", "username (default: made from the name)")
	passwordFlag(flags, &stdin)
	flags.BoolVar(&r.Administrator, "admin", false, "make the account an administrator")
	c.jsonFlag(flags)
	require(cmd, "email", "name")
	return cmd
}

// require marks flags that a command cannot do without.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined a few lines above
		}
	}
}

// sentence makes the problems of forms fit an error message. Of several each names its input.
func sentence(err error) error {
	text := err.Error()
	var wrong *oauth.Problem
	if errors.As(err, &wrong) && len(wrong.More) > 0 {
		var all []string
		for _, one := range wrong.All() {
			all = append(all, one.Field+": "+one.Error())
		}
		text = strings.Join(all, " ")
	}
	return errors.New(strings.TrimSuffix(text, "."))
}

func passwordFlag(flags *pflag.FlagSet, stdin *bool) {
	flags.BoolVar(stdin, "password-stdin", false, "read the password from standard input")
}

const maxPasswordInput = 4096

func (c *config) readPassword(ctx context.Context, stdin bool) (string, error) {
	if stdin {
		raw, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.in, maxPasswordInput)) })
		if err != nil {
			return "", err
		}
		password := strings.TrimRight(raw, "\r\n")
		return password, checkEntered(password)
	}
	if !term.IsTerminal(int(c.in.Fd())) {
		return "", usageError{errors.New("there is no terminal to ask for the password on; use --password-stdin")}
	}
	first, err := c.ask(ctx, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := c.ask(ctx, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, checkEntered(first)
}

// checkEntered refuses a password with which nobody could sign in. A terminal may be of
// another character set.
func checkEntered(password string) error {
	if !utf8.ValidString(password) || strings.ContainsAny(password, "\r\n\x00") {
		return errors.New("the password must be one line of UTF-8 text: nothing else can be entered to sign in")
	}
	return nil
}

// ask reads a password without showing it. The terminal gets its echo back when
// the command is interrupted meanwhile.
func (c *config) ask(ctx context.Context, prompt string) (string, error) {
	fd := int(c.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	fmt.Fprint(c.err, prompt)
	defer fmt.Fprintln(c.err)
	password, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(fd, before))
	}
	return password, err
}

// await reads a password, unless the command is interrupted meanwhile.
func await(ctx context.Context, read func() ([]byte, error)) (string, error) {
	type answer struct {
		password []byte
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		password, err := read()
		answered <- answer{password, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return "", fmt.Errorf("read the password: %w", a.err)
		}
		return string(a.password), nil
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}

func accountList(c *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all accounts",
		Args:  cobra.NoArgs,
		RunE: c.onData(func(ctx context.Context, h *house, _ []string) error {
			all, err := h.accounts.All(ctx)
			if err != nil {
				return err
			}
			views, rows := []accountView{}, [][]string{{"EMAIL", "USERNAME", "NAME", "STATE", "ID"}}
			for _, a := range all {
				views = append(views, viewAccount(a))
				rows = append(rows, []string{a.Email, a.Username, a.Name, accountState(a), a.ID.String()})
			}
			return c.print(views, rows)
		}),
	}
	c.jsonFlag(cmd.Flags())
	return cmd
}

func accountState(a oauth.Account) string {
	switch {
	case a.Disabled:
		return "disabled"
	case a.Administrator:
		return "administrator"
	}
	return "active"
}

func accountSwitch(c *config, use, did, short string, change func(*account.Accounts, context.Context, oauth.ID) error) *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   use + " ACCOUNT",
		Short: short + "; ACCOUNT is an email address, a username or an id",
		Args:  cobra.MaximumNArgs(1),
		RunE: c.onData(func(ctx context.Context, h *house, args []string) error {
			reference := email
			if len(args) == 1 {
				reference = args[0]
			}
			if reference == "" || email != "" && len(args) == 1 {
				return usageError{fmt.Errorf("say which account: latchkey account %s ACCOUNT", use)}
			}
			a, err := h.accounts.Find(ctx, reference)
			if err != nil {
				return err
			}
			if err := change(h.accounts, ctx, a.ID); err != nil {
				return err
			}
			if a, err = h.accounts.ByID(ctx, a.ID); err != nil {
				return err
			}
			return c.done(viewAccount(a), "%s the account %s", did, a.Email)
		}),
	}
	cmd.Flags().StringVar(&email, "email", "", "the account's email address, instead of the argument")
	c.jsonFlag(cmd.Flags())
	return cmd
}

func accountSetPassword(c *config) *cobra.Command {
	var stdin bool
	cmd := accountSwitch(c, "set-password", "set the password and ended all sessions of", "Give an account another password and sign it out everywhere",
		func(accounts *account.Accounts, ctx context.Context, id oauth.ID) error {
			password, err := c.readPassword(ctx, stdin)
			if err != nil {
				return err
			}
			if err := accounts.SetPassword(ctx, id, password); err != nil {
				return sentence(err)
			}
			return nil
		})
	passwordFlag(cmd.Flags(), &stdin)
	return cmd
}
