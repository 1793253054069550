package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
	"pgregory.net/rapid"
)

// openedLog is a log as SQLite has it, with its methods.
type openedLog struct {
	tls         *libc.TLS
	file, named uintptr
	// passed is memory that stays where it is.
	passed *[logRoom]byte
	*lib.Tsqlite3_io_methods
}

// openLogAt opens a file as SQLite opens a log.
func openLogAt(t rapid.TB, path string) openedLog {
	t.Helper()
	must(t, usePages())
	must(t, provideLogFileSystem())
	l := openedLog{tls: libc.NewTLS()}
	name, err := libc.CString(logFileSystemName)
	must(t, err)
	// SQLite puts more zeros behind a path, for what may be asked for along with it.
	l.named = libc.Xcalloc(l.tls, 1, types.Size_t(len(path)+4))
	copy(unsafe.Slice(at[byte](l.named), len(path)), path)
	fs := at[lib.Tsqlite3_vfs](lib.Xsqlite3_vfs_find(l.tls, name))
	libc.Xfree(l.tls, name)
	l.file = libc.Xcalloc(l.tls, 1, types.Size_t(fs.FszOsFile))
	l.passed = at[[logRoom]byte](libc.Xcalloc(l.tls, 1, logRoom))
	code := method[openMethod](fs.FxOpen)(l.tls, address(fs), l.named, l.file, lib.SQLITE_OPEN_WAL|lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_CREATE, 0)
	if code != lib.SQLITE_OK {
		t.Fatalf("open %s: error %d", path, code)
	}
	l.Tsqlite3_io_methods = at[lib.Tsqlite3_io_methods](at[lib.Tsqlite3_file](l.file).FpMethods)
	return l
}

func (l openedLog) close() int32 {
	code := method[closeMethod](l.FxClose)(l.tls, l.file)
	for _, allocated := range []uintptr{l.file, l.named, address(l.passed)} {
		libc.Xfree(l.tls, allocated)
	}
	l.tls.Close()
	return code
}

func (l openedLog) write(of []byte, offset int) int32 {
	n := copy(l.passed[:], of)
	return method[rangeMethod](l.FxWrite)(l.tls, l.file, address(l.passed), int32(n), int64(offset))
}

func (l openedLog) read(n, offset int) ([]byte, int32) {
	code := method[rangeMethod](l.FxRead)(l.tls, l.file, address(l.passed), int32(n), int64(offset))
	return l.passed[:n], code
}

func (l openedLog) truncate(size int) int32 {
	return method[resizeMethod](l.FxTruncate)(l.tls, l.file, int64(size))
}

func (l openedLog) size() (int64, int32) {
	code := method[sizeMethod](l.FxFileSize)(l.tls, l.file, address(l.passed))
	return *at[int64](address(l.passed)), code
}

func (l openedLog) sync() int32 {
	return method[syncMethod](l.FxSync)(l.tls, l.file, lib.SQLITE_SYNC_NORMAL)
}

func TestTheLogIsAlwaysWhatWasWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(folder, "log")
		must(t, os.RemoveAll(path))
		l := openLogAt(t, path)
		ok := func(code int32) {
			t.Helper()
			if code != lib.SQLITE_OK {
				t.Fatalf("error %d", code)
			}
		}
		defer func() { ok(l.close()) }()
		var want []byte
		end := 0
		write := func(of []byte, offset int) {
			ok(l.write(of, offset))
			end = offset + len(of)
			want = append(want, make([]byte, max(0, end-len(want)))...)
			copy(want[offset:], of)
		}
		content := rapid.SliceOfN(rapid.Byte(), 1, 64)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { write(content.Draw(t, "content"), end) },
			"append much": func(t *rapid.T) {
				write(bytes.Repeat(content.Draw(t, "content"), 1000), end)
			},
			"write elsewhere": func(t *rapid.T) {
				write(content.Draw(t, "content"), rapid.IntRange(0, len(want)).Draw(t, "offset"))
			},
			"read": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip("nothing is written")
				}
				offset := rapid.IntRange(0, len(want)-1).Draw(t, "offset")
				got, code := l.read(min(100, len(want)-offset), offset)
				if ok(code); !bytes.Equal(got, want[offset:offset+len(got)]) {
					t.Fatalf("%d bytes at %d are not what was written", len(got), offset)
				}
			},
			"size": func(t *rapid.T) {
				size, code := l.size()
				if len(want) == 1 {
					t.Skip("SQLite says that a file of one byte is empty")
				}
				if ok(code); size != int64(len(want)) {
					t.Fatalf("it has %d bytes, want %d", size, len(want))
				}
			},
			"truncate": func(t *rapid.T) {
				want = want[:rapid.IntRange(0, len(want)).Draw(t, "size")]
				end = len(want)
				ok(l.truncate(len(want)))
			},
			"wait for the disk": func(t *rapid.T) {
				ok(l.sync())
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("the file is not what was written (%v)", err)
				}
			},
		})
	})
}

func TestPagesOfTheLogAreWrittenTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := openLogAt(t, path)
	defer l.close()
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path)
		must(t, err)
		return info.Size()
	}
	for i := range 8 {
		if code := l.write(make([]byte, 4096), i*4096); code != lib.SQLITE_OK {
			t.Fatalf("write: error %d", code)
		}
	}
	if n := size(); n != 0 {
		t.Errorf("%d bytes are written before SQLite waits for the disk", n)
	}
	if code := l.sync(); code != lib.SQLITE_OK || size() != 8*4096 {
		t.Errorf("wait for the disk: error %d, %d bytes are written", code, size())
	}
}

func TestALogThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no disk that is always full: ", err)
	}
	l := openLogAt(t, full)
	defer l.close()
	for range 2 {
		if code := l.write(make([]byte, 4096), 0); code != lib.SQLITE_OK {
			t.Errorf("what is gathered: error %d", code)
		}
		if code := l.sync(); code != lib.SQLITE_FULL {
			t.Errorf("wait for a full disk: error %d, want %d", code, lib.SQLITE_FULL)
		}
	}
}
