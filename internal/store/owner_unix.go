//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives files in a folder to its owner, as far as this process may: root restores
// for a service that runs as somebody else.
func keepOwner(folder string, files ...string) error {
	about, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := about.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	for _, file := range files {
		// A link that the owner has put there does not lead to what is not theirs.
		if err := os.Lchown(file, int(owner.Uid), int(owner.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("give %s to the owner of its folder: %w", file, err)
		}
	}
	return nil
}
