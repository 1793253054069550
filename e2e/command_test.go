package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	t.Parallel()
	t.Run("answers health checks and follows the port it was given", func(t *testing.T) {
		t.Parallel()
		s := start(t, config)
		for _, path := range []string{"/healthz", "/readyz"} {
			s.do(t, get(path, "")).checkStatus(t, http.StatusOK)
		}
		if issuer := s.do(t, get(discoveryPath, "")).object(t)["issuer"]; issuer != s.url {
			t.Errorf("the issuer is %v, want %s", issuer, s.url)
		}
		if n := strings.Count(string(s.stdout.Bytes()), "listening on "); n != 1 {
			t.Errorf("listening is announced %d times", n)
		}
	})
	t.Run("reads its flags from the environment", func(t *testing.T) {
		t.Parallel()
		file := writeConfig(t, config)
		data := filepath.Join(t.TempDir(), "data")
		p := launch(t, []string{"LATCHKEY_LISTEN=127.0.0.1:0", "LATCHKEY_DATA=" + data, "LATCHKEY_CONFIG=" + file,
			"LATCHKEY_ISSUER=https://id.example"}, "serve")
		checkConfigured(t, p, data, "https://id.example")
	})
	t.Run("reads its flags from the configuration file", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "data")
		file := writeConfig(t, config+"listen: 127.0.0.1:0\nissuer: https://id.example\ndata: "+data+"\n")
		checkConfigured(t, launch(t, nil, "serve", "--config", file), data, "https://id.example")
	})
	t.Run("needs no configuration for the built-in scope", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "data")
		p := launch(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
		fields := checkConfigured(t, p, data, "")
		if scopes, _ := fields["scopes_supported"].([]any); len(scopes) != 1 || scopes[0] != "profile" {
			t.Errorf("scopes are %v, want profile alone", fields["scopes_supported"])
		}
	})
	for _, issuer := range []string{"http://id.example", "http://127.0.0.1.evil.example", "id.example", "ftp://127.0.0.1"} {
		t.Run("refuses to be "+issuer, func(t *testing.T) {
			t.Parallel()
			r := run(t, "", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--issuer", issuer)
			r.checkFailed(t, 1, 2)
		})
	}
	for _, stop := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run("answers what is under way when it is told to stop by "+stop.String(), func(t *testing.T) {
			t.Parallel()
			if signal.Ignored(stop) {
				t.Skip("whoever started the tests ignores it, and so does what they start")
			}
			testDrain(t, stop)
		})
	}
	t.Run("outlives the terminal where a hangup is ignored", func(t *testing.T) { t.Parallel(); testNoHangup(t) })
	t.Run("goes on when nobody reads what it writes", func(t *testing.T) { t.Parallel(); testNoReader(t) })
	t.Run("keeps what it promised across a restart", func(t *testing.T) { t.Parallel(); testRestart(t) })
}

// testDrain sends a signal while a token request is under way.
func testDrain(t *testing.T, stop syscall.Signal) {
	s := settle(t, config)
	app := s.register(t, registration{})
	body := app.identify(url.Values{"grant_type": {"client_credentials"}}).Encode()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		tokenPath, address, formType, len(body))
	in := bufio.NewReader(conn)
	// 100 Continue tells that the server has begun to read the body.
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("the server answers %q (%v) before it has seen the body", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(stop); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server takes no new connections", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close() // it was only a knock
		}
		return err != nil
	})
	fmt.Fprint(conn, body)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("a request under way is cut off: %v", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a request under way is answered %d", res.StatusCode)
	}
	s.transport.CloseIdleConnections()
	s.end(t)
	if cause := s.logged(t, "shutting down", "cause"); !strings.Contains(cause, stop.String()) {
		t.Errorf("the cause of the shutdown is %q", cause)
	}
}

// testNoHangup starts serve as nohup does.
func testNoHangup(t *testing.T) {
	p := launchCommand(t, nil, exec.Command("sh", "-c", `trap "" HUP && exec "$@"`, "sh", watched, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()))
	p.listening(t)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.terminate(t)
	if cause := p.logged(t, "shutting down", "cause"); !strings.Contains(cause, syscall.SIGTERM.String()) {
		t.Errorf("the cause of the shutdown is %q", cause)
	}
}

// testNoReader reads one line of all that the commands with a server write, and goes.
func testNoReader(t *testing.T) {
	folder := t.TempDir()
	for _, args := range [][]string{{"serve", "--data", t.TempDir()}, {"demo", "--app-listen", "127.0.0.1:0"}} {
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, append(args, "--listen", "127.0.0.1:0")...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(environment(), "TMPDIR="+folder), t.TempDir(), out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Close()
		line, err := bufio.NewReader(in).ReadString('\n')
		in.Close()
		if err != nil || cmd.Process.Signal(syscall.SIGTERM) != nil {
			t.Errorf("%s says %q: %v", args[0], line, err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ends with: %v", args[0], err)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v: %v", left, err)
	}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "latchkey.yaml")
	write(t, file, text)
	return file
}

// checkConfigured demands a server that works, with its files where it was told and this issuer.
func checkConfigured(t *testing.T, p *process, data, issuer string) map[string]any {
	t.Helper()
	at := p.listening(t)
	if issuer == "" {
		issuer = at
	}
	res, err := http.Get(at + discoveryPath)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var fields map[string]any
	if err := json.NewDecoder(res.Body).Decode(&fields); err != nil || fields["issuer"] != issuer {
		t.Errorf("the issuer is %v, want %s (%v)", fields["issuer"], issuer, err)
	}
	if files, err := os.ReadDir(data); err != nil || len(files) == 0 {
		t.Errorf("the data folder holds %d files: %v", len(files), err)
	}
	p.terminate(t)
	return fields
}

func testRestart(t *testing.T) {
	s := inhabited(t)
	app := s.register(t, registration{})
	first, code := s.grant(t, app, "scope", "profile events"), s.code(t, app)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	ended := s.grant(t, app)
	s.revoke(t, app, ended.Access).checkStatus(t, http.StatusOK)
	s.terminate(t)

	without := config[:strings.Index(config, "  - name: events")] + config[strings.Index(config, "limits:"):]
	s.serve(t, without)
	s.checkAlive(t, second.Access)
	s.checkDead(t, app, ended)
	s.redeem(t, app, code).tokens(t)
	checkSame(t, withScope(s.refresh(t, app, first.Refresh).tokens(t), second.Scope), second)
	if scope := s.introspect(t, app, second.Access)["scope"]; scope != "profile" {
		t.Errorf("scope is %v after events was taken from the configuration", scope)
	}
	s.do(t, get(checkPath+"?scope=events", second.Access)).checkStatus(t, http.StatusBadRequest)
}

// withScope sets the scope aside where the configuration has changed it.
func withScope(got tokens, scope string) tokens {
	got.Scope = scope
	return got
}

// checkFailed demands one of the statuses, one sentence on stderr and nothing on stdout.
func (r result) checkFailed(t *testing.T, statuses ...int) {
	t.Helper()
	ok := false
	for _, status := range statuses {
		ok = ok || r.status == status
	}
	if !ok {
		t.Errorf("exit status %d, want %v; stderr: %s", r.status, statuses, r.stderr)
	}
	if r.stdout != "" {
		t.Errorf("a failed command writes to stdout: %s", r.stdout)
	}
	text := strings.TrimSpace(r.stderr)
	if text == "" || statuses[0] == 1 && strings.Contains(text, "\n") {
		t.Errorf("stderr is not one sentence: %q", r.stderr)
	}
	if strings.Contains(text, "goroutine ") || strings.Contains(text, "sql") {
		t.Errorf("stderr tells what nobody can mend: %s", text)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := inhabited(t)
	t.Run("failing", func(t *testing.T) { t.Parallel(); testFailing(t, s) })
	t.Run("administration", func(t *testing.T) { t.Parallel(); testAdministration(t, s) })
	t.Run("update", func(t *testing.T) { t.Parallel(); testUpdate(t, s) })
	t.Run("secrets", func(t *testing.T) { t.Parallel(); testSecrets(t) })
	t.Run("version tells one", func(t *testing.T) {
		t.Parallel()
		if r := run(t, "", "version"); r.status != 0 || strings.TrimSpace(r.stdout) == "" {
			t.Errorf("status %d, stdout %q", r.status, r.stdout)
		}
	})
	t.Run("completion is a script that the shell can read", func(t *testing.T) {
		t.Parallel()
		r := run(t, "", "completion", "bash")
		if r.status != 0 || !strings.Contains(r.stdout, "complete ") {
			t.Fatalf("status %d, stdout %.200q", r.status, r.stdout)
		}
		shell := exec.Command("bash", "-n")
		shell.Stdin = strings.NewReader(r.stdout)
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("bash: %v: %s", err, out)
		}
	})
	t.Run("help goes to stdout and is no failure", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"application", "create", "--help"}} {
			if r := run(t, "", args...); r.status != 0 || !strings.Contains(r.stdout, "latchkey") {
				t.Errorf("%v: status %d, stdout %.200q", args, r.status, r.stdout)
			}
		}
	})
}

func testFailing(t *testing.T, s *server) {
	create := func(flags ...string) []string {
		return append([]string{"account", "create", "--password-stdin"}, flags...)
	}
	rows := []struct {
		name, stdin string
		args        []string
		status      int
	}{
		{"an owner who has no account", "", []string{"application", "create", "--owner", "nobody@people.example", "--name", "N", "--redirect-uri", callback}, 1},
		{"a scope that is not configured", "", []string{"application", "create", "--owner", s.ada.email, "--name", "N",
			"--redirect-uri", callback, "--scope", "nonsense"}, 1},
		{"a public application without a redirect URL", "", []string{"application", "create", "--owner", s.ada.email, "--name", "N", "--public"}, 1},
		{"a public resource server", "", []string{"application", "create", "--owner", s.ada.email, "--name", "N",
			"--redirect-uri", callback, "--public", "--resource-server"}, 1},
		{"an address that is taken", s.ada.password + "\n", create("--email", s.ada.email, "--name", "Other"), 1},
		{"an address that is taken, in capitals", s.ada.password + "\n", create("--email", strings.ToUpper(s.ada.email), "--name", "Other"), 1},
		{"a password that is too short", "shorter\n", create("--email", "short@people.example", "--name", "S"), 1},
		{"a password that everybody has", "password1\n", create("--email", "common@people.example", "--name", "C"), 1},
		{"an unknown application to suspend", "", []string{"application", "suspend", strings.Repeat("A", 43)}, 1},
		{"an unknown application to show", "", []string{"application", "show", "x"}, 1},
		{"an unknown account to disable", "", []string{"account", "disable", "nobody@people.example"}, 1},
		{"an unknown authorization to revoke", "", []string{"authorization", "revoke", "01890000-0000-7000-8000-000000000000"}, 1},
		{"an unknown command", "", []string{"application", "destroy"}, 2},
		{"an unknown flag", "", []string{"account", "list", "--colour"}, 2},
		{"no address", "x\n", create("--name", "N"), 2},
		{"no application to suspend", "", []string{"application", "suspend"}, 2},
		{"an argument too many", "", []string{"account", "list", "extra"}, 2},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s.try(t, row.stdin, row.args...).checkFailed(t, row.status)
		})
	}
	t.Run("no such command at all", func(t *testing.T) {
		t.Parallel()
		run(t, "", "unlatch").checkFailed(t, 2)
	})
	t.Run("a configuration file that is not there", func(t *testing.T) {
		t.Parallel()
		run(t, "", "account", "list", "--data", s.data, "--config", s.config+".missing").checkFailed(t, 1)
	})
	t.Run("a configuration file that is not YAML", func(t *testing.T) {
		t.Parallel()
		run(t, "", "account", "list", "--data", s.data, "--config", writeConfig(t, "scopes: [")).checkFailed(t, 1)
	})
}
