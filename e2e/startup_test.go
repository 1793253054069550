package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/e2e/postgres"
)

func TestStartOnPostgreSQL(t *testing.T) {
	t.Parallel()
	t.Run("waits for one that is not up yet, and says so", func(t *testing.T) { t.Parallel(); testWaits(t) })
	t.Run("refuses at once what waiting does not mend", func(t *testing.T) { t.Parallel(); testRefused(t) })
}

func testWaits(t *testing.T) {
	pg := postgres.Start(t)
	database := pg.Database(t)
	pg.Stop()
	// The URL comes from the environment, where passwords are not seen by others.
	p := launch(t, []string{"LATCHKEY_DATABASE=" + database}, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	eventually(t, "the server says that it waits", func() bool {
		return bytes.Contains(p.stderr.Bytes(), []byte("waiting for the database"))
	})
	if out := p.stdout.Bytes(); len(out) > 0 {
		t.Errorf("stdout has %q before the database is up", out)
	}
	pg.Up(t)
	checkReady(t, p.listening(t))
	p.terminate(t)
	checkLog(t, p.stderr.Bytes())
}

// checkReady demands that a server can serve, and leaves no connection open.
func checkReady(t *testing.T, at string) {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	res, err := http.Get(at + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // only the status matters
	if res.StatusCode != http.StatusOK {
		t.Errorf("readyz answers %d", res.StatusCode)
	}
}

func testRefused(t *testing.T) {
	pg := postgres.Start(t)
	database := pg.Database(t)
	name := database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
	admin := pg.URL("postgres")
	ask(t, admin, `create role guest login password 'right-password'`)
	ask(t, admin, `grant all on database `+name+` to guest`)
	ask(t, database, `grant all on schema public to guest`)
	// The server can write the file that decides who needs a password.
	ask(t, admin, fmt.Sprintf(`copy (values ('host all guest 127.0.0.1/32 scram-sha-256'), ('host all all 127.0.0.1/32 trust')) to '%s'`,
		ask(t, admin, `show hba_file`)[0]))
	ask(t, admin, `select pg_reload_conf()::text`)
	at := func(user, name, query string) string {
		return "postgres://" + user + "@" + pg.Address() + "/" + name + query
	}
	const secret = "wrong-pass-word"
	rows := []struct{ name, url, says string }{
		{"a wrong password", at("guest:"+secret, name, "?sslmode=disable"), "password"},
		{"a wrong password, by the default of TLS", at("guest:"+secret, name, ""), "password"},
		{"a database that is not there", at("guest:right-password", "missing", "?sslmode=disable"), "missing"},
		{"a schema that is not there", at("guest:right-password", name, "?sslmode=disable&search_path=missing"), "create schema"},
		{"a role that is not there", at("stranger:"+secret, name, "?sslmode=disable"), "stranger"},
		{"another kind of database", "redis://guest:" + secret + "@" + pg.Address() + "/" + name, "database"},
		{"a port that is none", "postgres://guest:" + secret + "@127.0.0.1:notaport/" + name, "database"},
		{"a setting that is none", at("guest:"+secret, name, "?sslmode=sometimes"), "sslmode"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"account", "list"}} {
				r := run(t, "", append(args, "--data", t.TempDir(), "--database", row.url)...)
				r.checkFailed(t, 1)
				if !strings.Contains(r.stderr, row.says) {
					t.Errorf("%s: stderr does not speak of %s: %s", args[0], row.says, r.stderr)
				}
				if strings.Contains(r.stderr, secret) || strings.Contains(r.stderr, "right-password") {
					t.Errorf("%s: stderr has the password: %s", args[0], r.stderr)
				}
			}
		})
	}
	t.Run("the right password", func(t *testing.T) {
		data := t.TempDir()
		p := launch(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data, "--database", at("guest:right-password", name, "?sslmode=disable"))
		p.listening(t)
		p.terminate(t)
		if bytes.Contains(p.stderr.Bytes(), []byte("right-password")) {
			t.Error("the log has the password")
		}
		if at, want := p.logged(t, "serving", "database"), pg.Address()+"/"+name; at != want {
			t.Errorf("the log names the database %s, want %s", at, want)
		}
	})
}

func TestCommandsWantDataThatIsThere(t *testing.T) {
	t.Parallel()
	database := postgres.Database(t)
	rows := []struct {
		name  string
		place []string
	}{
		{"on SQLite", nil},
		{"on PostgreSQL", []string{"--database", database}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(t, row.place...)
			at := append([]string{"--data", s.data}, row.place...)
			for _, args := range [][]string{{"account", "list"}, {"account", "disable", "ada"}, {"application", "list"}, {"authorization", "list"}} {
				r := run(t, "", append(args, at...)...)
				r.checkFailed(t, 1)
				if !strings.Contains(r.stderr, "there is no data in ") {
					t.Errorf("%v says %s", args, r.stderr)
				}
			}
			if row.place != nil {
				if tables := ask(t, database, `select relname::text from pg_class where relnamespace = 'public'::regnamespace`); len(tables) > 0 {
					t.Errorf("the database has %v", tables)
				}
			}
			if _, err := os.Stat(s.data); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the commands have made a data folder: %v", err)
			}
			// An account may come before the server, and needs no key.
			create := append([]string{"account", "create", "--email", "ada@people.example", "--name", "Ada", "--admin", "--password-stdin"}, at...)
			if r := run(t, "pass phrase of Ada", create...); r.status != 0 {
				t.Fatalf("account create exits with %d: %s", r.status, r.stderr)
			}
			if r := run(t, "", append([]string{"account", "list"}, at...)...); r.status != 0 || !strings.Contains(r.stdout, "ada@people.example") {
				t.Errorf("account list exits with %d: %s%s", r.status, r.stdout, r.stderr)
			}
			if _, err := os.Stat(filepath.Join(s.data, "server.key")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the commands have made a server key: %v", err)
			}
			s.serve(t, config)
			if _, err := os.Stat(filepath.Join(s.data, "server.key")); err != nil {
				t.Errorf("a server makes no key: %v", err)
			}
		})
	}
	t.Run("in a file that stayed empty", func(t *testing.T) {
		data := t.TempDir()
		file := filepath.Join(data, "latchkey.db")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := run(t, "", "account", "list", "--data", data)
		r.checkFailed(t, 1)
		if now, err := os.Stat(file); !strings.Contains(r.stderr, "there is no data in ") || err != nil || now.Size() > 0 {
			t.Errorf("account list says %s, and the file is %v (%v)", r.stderr, now, err)
		}
	})
}

func TestOneServerOnADataFolder(t *testing.T) {
	t.Parallel()
	s := settleOn(t)
	r := s.try(t, "", "serve", "--listen", "127.0.0.1:0")
	r.checkFailed(t, 1)
	if !strings.Contains(r.stderr, s.data) {
		t.Errorf("stderr does not name the data folder: %s", r.stderr)
	}
	app := s.register(t, registration{})
	s.checkAlive(t, s.clientCredentials(t, app, "").tokens(t).Access) // the first one is not disturbed
	s.kill(t)
	s.again(t, config) // a killed server does not keep its folder
	s.checkAlive(t, s.clientCredentials(t, app, "").tokens(t).Access)
}

// TestTheLogHasNoOtherLinesWhenTheMetricsAreBusy leaves a server no file to accept with.
func TestTheLogHasNoOtherLinesWhenTheMetricsAreBusy(t *testing.T) {
	t.Parallel()
	p := launchCommand(t, nil, exec.Command("sh", "-c", `ulimit -n 100 && exec "$@"`, "sh", watched,
		"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--metrics-listen", "127.0.0.1:0"))
	p.listening(t)
	address := p.logged(t, "serving metrics", "address")
	eventually(t, "there are too many open files", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return bytes.Contains(p.stderr.Bytes(), []byte("too many open files"))
	})
	p.terminate(t)
	checkLog(t, p.stderr.Bytes())
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		place []string
	}{
		{"on SQLite", nil},
		{"on PostgreSQL", []string{"--database", postgres.Database(t)}},
	}
	for _, row := range rows {
		s := newServer(t, row.place...)
		s.serve(t, config, "--metrics-listen", "127.0.0.1:0")
		s.ada = s.newAccount(t, "Ada Lovelace")
		s.issue(t, s.register(t, registration{}), 50)
		at := &server{url: "http://" + s.logged(t, "serving metrics", "address"), client: s.client}
		// Last, so that the sweepers of both have had the same time.
		defer t.Run(row.name, func(t *testing.T) {
			eventually(t, "the metrics tell how many authorizations there are", func() bool {
				a := at.do(t, get("/metrics", ""))
				a.checkStatus(t, http.StatusOK)
				return bytes.Contains(a.body, []byte(`latchkey_table_rows{table="authorizations"} 50`))
			})
			if a := s.do(t, get("/metrics", "")); a.status == http.StatusOK {
				t.Error("the metrics are served to everybody")
			}
		})
	}
}

// logged waits for a log line and finds an attribute of it.
func (p *process) logged(t *testing.T, message, attribute string) (value string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the log has a line %q", message), func() bool {
		for line := range bytes.Lines(p.stderr.Bytes()) {
			var entry map[string]any
			if json.Unmarshal(line, &entry) == nil && entry["msg"] == message {
				value = fmt.Sprint(entry[attribute])
				return true
			}
		}
		return false
	})
	return value
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := settleOn(t)
	l := newLoad(t, s)
	app := s.register(t, registration{})
	first := s.grant(t, app)
	second := s.refresh(t, app, first.Refresh).tokens(t)
	ended := s.grant(t, app)
	s.revoke(t, app, ended.Refresh).checkStatus(t, http.StatusOK)
	file := filepath.Join(t.TempDir(), "backup.db")
	l.begin()
	l.reach(t, 50)
	s.command(t, "", "backup", file)
	l.end()
	l.check(t)
	if about, err := os.Stat(file); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v (%v), want it private", about.Mode(), err)
	}
	s.try(t, "", "backup", file).checkFailed(t, 1) // never over a file that is there
	s.try(t, "", "restore", file).checkFailed(t, 1)
	s.checkOtherVersions(t)

	other := newServer(t)
	r := run(t, "", "restore", file, "--data", other.data)
	if r.status != 0 {
		t.Fatalf("restore exits with %d: %s", r.status, r.stderr)
	}
	key, err := os.ReadFile(filepath.Join(s.data, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(other.data, "server.key"), string(key))
	other.serve(t, config)
	other.ada, other.session = s.ada, other.browser(s.ada)
	other.checkIntegrity(t)
	other.checkAlive(t, second.Access)
	checkSame(t, other.refresh(t, app, first.Refresh).tokens(t), second)
	other.checkAlive(t, other.refresh(t, app, second.Refresh).tokens(t).Access)
	other.checkDead(t, app, ended)
	other.checkAlive(t, other.grant(t, app).Access) // Ada signs in anew
	s.checkAlive(t, second.Access)

	other.terminate(t)
	checkStays(t, file, other.data)
	if r := run(t, "", "restore", file, "--data", other.data); r.status != 0 || !strings.Contains(r.stdout, "latchkey.db.before-") {
		t.Errorf("restore over a database exits with %d and does not name what it kept: %s%s", r.status, r.stdout, r.stderr)
	}
	other.again(t, config)
	other.checkAlive(t, other.refresh(t, app, second.Refresh).tokens(t).Access)
}

// checkStays restores where a file may not become as large as the backup is: what was there stays.
func checkStays(t *testing.T, backup, data string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 200 && exec "$0" restore "$1" --data "$2"`, binary, backup, data)
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("a restore succeeds without the room for it: %s", out)
	}
	all, err := filepath.Glob(filepath.Join(data, "latchkey.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if strings.Contains(file, ".before-") {
			t.Errorf("a restore that failed has moved what was there to %s", file)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "latchkey.db")); err != nil {
		t.Errorf("a restore that failed leaves no database: %v", err)
	}
}

// checkOtherVersions lets the database of a running server look as it would beside another
// version of the program: this one backs it up, and does nothing else.
func (s *server) checkOtherVersions(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "latchkey.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := []struct{ name, change, undo, says string }{
		{
			"an older one, which serves", "update goose_db_version set version_id = -version_id where version_id = (select max(version_id) from goose_db_version)",
			"update goose_db_version set version_id = -version_id where version_id < 0", "stop the server first",
		},
		{
			"a newer one", "insert into goose_db_version (version_id, is_applied) values (1000, 1)",
			"delete from goose_db_version where version_id = 1000", "made by a newer version of latchkey",
		},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if _, err := db.ExecContext(t.Context(), row.change); err != nil {
				t.Fatal(err)
			}
			s.command(t, "", "backup", filepath.Join(t.TempDir(), "backup.db"))
			r := s.try(t, "", "account", "list")
			r.checkFailed(t, 1)
			if !strings.Contains(r.stderr, row.says) {
				t.Errorf("account list says %s", r.stderr)
			}
			if _, err := db.ExecContext(t.Context(), row.undo); err != nil {
				t.Fatal(err)
			}
		})
	}
}
