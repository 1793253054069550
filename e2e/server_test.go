package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/latchkey/latchkey/e2e/postgres"
)

// patience bounds every wait for a process; nothing healthy comes near it.
const patience = 30 * time.Second

// config is what every server here runs with unless a test says otherwise.
const config = `
scopes:
  - name: profile
    description: See your name, picture and email address
  - name: community
    description: See the communities you belong to
    approval: administrator
    consent: required
  - name: events
    description: See the events you attend
limits:
  exempt: [127.0.0.0/8]
`

// binary is the command under test, built once by TestMain. watched is the same, as watchful as
// the test that drives it: it serves. Commands that end at once have nothing to race with, and
// take several times as long to start when they are watched.
var binary, watched string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "latchkey-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "latchkey")
	watched = binary
	built := build(binary, false)
	if raceEnabled {
		watched += "-watched"
		built = built && build(watched, true)
	}
	if !built {
		return 1
	}
	return postgres.Run(m)
}

// build makes the command and reports whether that went well.
func build(to string, watch bool) bool {
	command := exec.Command("go", "build", "-race="+strconv.FormatBool(watch), "-o", to, "./cmd/latchkey")
	command.Dir = ".."
	if !watch {
		// What the race detector leaves out makes no difference here, but to what is compiled anew.
		flags := slices.DeleteFunc(strings.Fields(os.Getenv("GOFLAGS")), func(f string) bool { return strings.HasPrefix(f, "-gcflags=") })
		command.Env = append(os.Environ(), "GOFLAGS="+strings.Join(flags, " "))
	}
	out, err := command.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build of the binary under test: %v\n%s", err, out)
	}
	return err == nil
}

// server is a running `latchkey serve` with its data folder and configuration file.
type server struct {
	*process
	url       string
	data      string
	config    string
	place     []string // flags of serve and of every command that say where the data is
	vault     *vault
	transport *http.Transport
	client    *http.Client

	ada     account  // owns the applications, approves them
	session *browser // signed in as ada
}

// start runs serve on a new data folder; it is stopped, and judged, when the test ends.
func start(t *testing.T, config string, flags ...string) *server {
	t.Helper()
	s := newServer(t)
	s.serve(t, config, flags...)
	return s
}

// newServer is one that was not started yet.
func newServer(t *testing.T, place ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{data: filepath.Join(dir, "data"), config: filepath.Join(dir, "latchkey.yaml"), place: place, vault: newVault()}
	s.transport = &http.Transport{MaxIdleConnsPerHost: 64}
	s.client = &http.Client{
		Transport:     &witness{next: s.transport, vault: s.vault},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// serve starts the process, the first time or again, on the data folder that the server has.
func (s *server) serve(t *testing.T, config string, flags ...string) {
	t.Helper()
	write(t, s.config, config)
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", s.data, "--config", s.config}, append(flags, s.place...)...)
	s.process = launch(t, nil, args...)
	s.url = s.listening(t)
	p := s.process
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		p.terminate(t)
		s.vault.inspect(t, "the log of serve", p.stderr.Bytes())
		checkLog(t, p.stderr.Bytes())
	})
}

// terminate hangs up before it stops the process, since serve waits for connections that were
// opened and not used.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	s.transport.CloseIdleConnections()
	s.process.terminate(t)
}

// inhabited starts a server on which Ada has an account and is signed in.
func inhabited(t *testing.T) *server {
	t.Helper()
	s := start(t, config)
	s.ada = s.newAccount(t, "Ada Lovelace", "--admin")
	s.session = s.browser(s.ada)
	s.session.authorize(t, s.register(t, registration{}).request())
	return s
}

// process is one running command.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr output
	exited         chan struct{}
	killed         bool
}

// launch starts the watched binary with nothing of ours in its environment but env.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launchCommand(t, env, exec.Command(watched, args...))
}

// launchCommand is launch for a command of its own.
func launchCommand(t *testing.T, env []string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	p.cmd.Env = append(environment(), env...)
	p.cmd.Dir = t.TempDir()
	p.stdout.line = make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the status is read from ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // no effect on what has ended
		<-p.exited
	})
	return p
}

// listening waits for the first line on stdout and returns the URL in it.
func (p *process) listening(t *testing.T) string {
	t.Helper()
	select {
	case <-p.stdout.line:
	case <-p.exited:
		t.Fatalf("serve ended with %v: %s", p.cmd.ProcessState, p.stderr.Bytes())
	case <-time.After(patience):
		t.Fatalf("serve wrote no line in %v: %s", patience, p.stderr.Bytes())
	}
	first, _, _ := strings.Cut(string(p.stdout.Bytes()), "\n")
	m := regexp.MustCompile(`^listening on (http://[^/\s]+:[1-9][0-9]*)$`).FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("first line on stdout is %q, want %q", first, "listening on http://HOST:PORT")
	}
	return m[1]
}

// terminate sends SIGTERM and demands that the process drains and exits 0.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if p.killed {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("SIGTERM: %v", err)
	}
	p.end(t)
}

// end waits for a process that was told to stop, and demands that it exits 0.
func (p *process) end(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Errorf("serve still runs after %v", patience)
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("serve exits with %d, want 0; stderr:\n%s", code, p.stderr.Bytes())
	}
}

// result is what a finished command left.
type result struct {
	stdout, stderr string
	status         int
}

// run executes the binary to its end.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = environment(), t.TempDir(), strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("latchkey %s: %v", strings.Join(args, " "), err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// try executes a command on the server's data folder.
func (s *server) try(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	r := run(t, stdin, append(append(args, "--data", s.data, "--config", s.config), s.place...)...)
	s.vault.inspect(t, "stderr of "+strings.Join(args[:2], " "), []byte(r.stderr))
	return r
}

// command executes one that must succeed and returns its stdout.
func (s *server) command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := s.try(t, stdin, args...)
	if r.status != 0 {
		t.Fatalf("latchkey %s exits with %d: %s", strings.Join(args, " "), r.status, r.stderr)
	}
	return r.stdout
}

// environment is ours without the variables that the binary would read as flags.
func environment() []string {
	env := []string{"GORACE=atexit_sleep_ms=0"} // a watchful binary would linger for a second each time
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LATCHKEY_") {
			env = append(env, kv)
		}
	}
	return env
}

// output collects a stream and tells when its first line is complete.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	whole := bytes.ContainsRune(o.buf.Bytes(), '\n')
	o.buf.Write(p)
	if o.line != nil && !whole && bytes.ContainsRune(p, '\n') {
		close(o.line)
	}
	return len(p), nil
}

func (o *output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes())
}

// checkLog demands JSON lines as slog writes them, since stderr is no terminal here.
func checkLog(t *testing.T, log []byte) {
	t.Helper()
	for line := range bytes.Lines(log) {
		var entry map[string]any
		if json.Unmarshal(line, &entry) != nil || entry["msg"] == nil || entry["level"] == nil {
			t.Errorf("log line is not a JSON line of slog: %s", line)
		}
	}
}
