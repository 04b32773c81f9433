//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pluginhost

import (
	"errors"
	"os"
	"syscall"
)

// holdFolder waits until no other process or goroutine holds a folder, and holds
// it until released or until the process ends (flock(2)).
func holdFolder(path string) (release func(), err error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX)
		if err == nil {
			return func() { _ = folder.Close() }, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			_ = folder.Close()
			return nil, &os.PathError{Op: "flock", Path: path, Err: err}
		}
	}
}
