package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAPasswordFromATerminalIsEnteredTwiceAndIsText(t *testing.T) {
	data := t.TempDir()
	makeAccount(t, data, "ada@example.com")
	for typed, want := range map[string]string{
		"a pass phrase\na pass phrase\n": "", "eine süße Phrase\neine süße Phrase\n": "",
		"a pass phrase\nanother one\n":                     "the two passwords differ",
		"eine s\xfc\xdfe Phrase\neine s\xfc\xdfe Phrase\n": "one line of UTF-8 text",
		"a pass\x00phrase\na pass\x00phrase\n":             "one line of UTF-8 text",
	} {
		keyboard, in := openTerminal(t)
		if _, err := io.WriteString(keyboard, typed); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		status := run(t.Context(), []string{"account", "set-password", "ada@example.com", "--data", data},
			terminal{in: in, out: io.Discard, err: &stderr, env: func(string) (string, bool) { return "", false }})
		if (status == 0) != (want == "") || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q exits with %d: %s", typed, status, stderr.String())
		}
	}
}

// openTerminal makes a terminal, and what stands for its keyboard.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}
