package store

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// SQLite writes each page of a commit into its log with two system calls, one of them for the
// page's head. The file system of the connections is SQLite's own, except that what is
// appended to the log is gathered in memory until SQLite waits for the disk or wants anything
// else of the file (https://sqlite.org/vfs.html). Other connections are told of pages only
// after that, so they miss nothing.
//
// The structures here lie outside of Go's memory, as those of the pages do.

// logFileSystemName is what connections ask for.
const logFileSystemName = "latchkey"

// logRoom is how many bytes are gathered, some 30 pages.
const logRoom = 128 << 10

// logFileSystem is SQLite's, with a way of our own to open files.
type logFileSystem struct {
	shown    lib.Tsqlite3_vfs
	original *lib.Tsqlite3_vfs
}

// logFile lies behind what SQLite's own file system knows of a log.
type logFile struct {
	methods  lib.Tsqlite3_io_methods
	original *lib.Tsqlite3_io_methods
	// gathered has length bytes that belong into the file at offset.
	gathered *[logRoom]byte
	length   int32
	offset   int64
}

// What SQLite asks of a file system and of a file, as far as it is answered here.
type (
	openMethod   = func(tls *libc.TLS, fileSystem, path, file uintptr, flags int32, flagsOut uintptr) int32
	closeMethod  = func(tls *libc.TLS, file uintptr) int32
	rangeMethod  = func(tls *libc.TLS, file, buffer uintptr, length int32, offset int64) int32
	resizeMethod = func(tls *libc.TLS, file uintptr, size int64) int32
	syncMethod   = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeMethod   = func(tls *libc.TLS, file, size uintptr) int32
)

// provideLogFileSystem makes it known to SQLite, for all of this process.
var provideLogFileSystem = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	name, err := libc.CString(logFileSystemName)
	allocated := libc.Xcalloc(tls, 1, types.Size_t(unsafe.Sizeof(logFileSystem{})))
	original := lib.Xsqlite3_vfs_find(tls, 0)
	if err != nil || allocated == 0 || original == 0 {
		return errors.New("set up SQLite's log: out of memory")
	}
	fs := at[logFileSystem](allocated)
	fs.original = at[lib.Tsqlite3_vfs](original)
	fs.shown = *fs.original
	fs.shown.FpNext, fs.shown.FzName, fs.shown.FxOpen = 0, name, function(openLog)
	fs.shown.FszOsFile += int32(unsafe.Sizeof(logFile{}))
	if code := lib.Xsqlite3_vfs_register(tls, allocated, 0); code != lib.SQLITE_OK {
		return fmt.Errorf("set up SQLite's log: error %d", code)
	}
	return nil
})

// method is a function of SQLite, translated to Go.
func method[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&pointer)) }

// logOf is the log that SQLite knows as a file.
func logOf(file uintptr) *logFile { return at[logFile](at[lib.Tsqlite3_file](file).FpMethods) }

func openLog(tls *libc.TLS, fileSystem, path, file uintptr, flags int32, flagsOut uintptr) int32 {
	original := at[logFileSystem](fileSystem).original
	code := method[openMethod](original.FxOpen)(tls, address(original), path, file, flags, flagsOut)
	if code != lib.SQLITE_OK || flags&lib.SQLITE_OPEN_WAL == 0 {
		return code
	}
	shown := at[lib.Tsqlite3_file](file)
	l := at[logFile](file + uintptr(original.FszOsFile))
	*l = logFile{original: at[lib.Tsqlite3_io_methods](shown.FpMethods)}
	l.methods = *l.original
	l.methods.FxClose, l.methods.FxRead, l.methods.FxWrite = function(closeLog), function(readLog), function(writeLog)
	l.methods.FxTruncate, l.methods.FxSync, l.methods.FxFileSize = function(truncateLog), function(syncLog), function(sizeOfLog)
	shown.FpMethods = address(&l.methods)
	return code
}

func writeLog(tls *libc.TLS, file, buffer uintptr, length int32, offset int64) int32 {
	l := logOf(file)
	if offset != l.offset+int64(l.length) || length > logRoom-l.length {
		if code := l.flush(tls, file); code != lib.SQLITE_OK {
			return code
		}
		l.offset = offset
	}
	if l.gathered == nil {
		if l.gathered = at[[logRoom]byte](libc.Xmalloc(tls, logRoom)); l.gathered == nil {
			return lib.SQLITE_IOERR_NOMEM
		}
	}
	copy(l.gathered[l.length:], unsafe.Slice(at[byte](buffer), length))
	l.length += length
	return lib.SQLITE_OK
}

// flush writes what is gathered. What could not be written is forgotten: SQLite is told, and
// undoes the transaction.
func (l *logFile) flush(tls *libc.TLS, file uintptr) int32 {
	if l.length == 0 {
		return lib.SQLITE_OK
	}
	code := method[rangeMethod](l.original.FxWrite)(tls, file, address(l.gathered), l.length, l.offset)
	l.length = 0
	return code
}

// flushed writes what is gathered, and then lets SQLite's own method of the file do its part.
func flushed(tls *libc.TLS, file uintptr, rest func(original *lib.Tsqlite3_io_methods) int32) int32 {
	l := logOf(file)
	if code := l.flush(tls, file); code != lib.SQLITE_OK {
		return code
	}
	return rest(l.original)
}

func readLog(tls *libc.TLS, file, buffer uintptr, length int32, offset int64) int32 {
	return flushed(tls, file, func(original *lib.Tsqlite3_io_methods) int32 {
		return method[rangeMethod](original.FxRead)(tls, file, buffer, length, offset)
	})
}

func truncateLog(tls *libc.TLS, file uintptr, size int64) int32 {
	return flushed(tls, file, func(original *lib.Tsqlite3_io_methods) int32 {
		return method[resizeMethod](original.FxTruncate)(tls, file, size)
	})
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	return flushed(tls, file, func(original *lib.Tsqlite3_io_methods) int32 {
		return method[syncMethod](original.FxSync)(tls, file, flags)
	})
}

func sizeOfLog(tls *libc.TLS, file, size uintptr) int32 {
	return flushed(tls, file, func(original *lib.Tsqlite3_io_methods) int32 {
		return method[sizeMethod](original.FxFileSize)(tls, file, size)
	})
}

func closeLog(tls *libc.TLS, file uintptr) int32 {
	l := logOf(file)
	code := l.flush(tls, file)
	original := l.original
	libc.Xfree(tls, address(l.gathered))
	if closed := method[closeMethod](original.FxClose)(tls, file); closed != lib.SQLITE_OK {
		return closed
	}
	return code
}
