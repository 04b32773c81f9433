package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestALockIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), LockName)
	lock, err := ReadLock(path)
	if err != nil || len(lock.Connectors) != 0 {
		t.Fatalf("a lock file that is not there: %+v, %v", lock, err)
	}
	sum := strings.Repeat("ab", 32)
	lock.Connectors["zoho-crm"] = LockedConnector{Version: "1.0.0", Programs: map[string]LockedProgram{
		"plan9/mips": {Source: "bin/p", SHA256: sum, Size: 7},
	}}
	if dropped := lock.Pin("zoho-crm", "1.0.0", LockedProgram{Source: "https://example.com/{os}: p", SHA256: sum, Size: 19 << 20}); dropped != nil {
		t.Errorf("dropped %v", dropped)
	}
	if err := lock.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLock(path)
	if diff := cmp.Diff(lock, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if p, ok := got.FromSource("https://example.com/{os}: p"); !ok || p.SHA256 != sum {
		t.Errorf("FromSource: %+v, %v", p, ok)
	}
	// Programs of another version are of no use beside this one.
	if dropped := got.Pin("zoho-crm", "1.1.0", LockedProgram{Source: "p", SHA256: sum, Size: 1}); !cmp.Equal(dropped, []string{"plan9/mips"}) {
		t.Errorf("dropped %v", dropped)
	}
}

func TestLockFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"version: 2": "newer sluice", "connectors: [1]": "is not a lock file", "version: 1\ncolour: red": "is not a lock file",
		"version: 1\nconnectors:\n<<<<<<< HEAD\n  a: {}\n":                                                                          "merge conflict",
		"version: 1\nconnectors: {a: {version: x, programs: {linux/amd64: {source: p, sha256: AB, size: 1}}}}":                      "64 lower-case hex",
		"version: 1\nconnectors: {a: {version: x, programs: {linux/amd64: {source: p, sha256: " + strings.Repeat("0a", 32) + "}}}}": "a source and a size",
	} {
		path := program(t, filepath.Join(t.TempDir(), LockName), text, 0o644)
		if _, err := ReadLock(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

// TestUpdatesOfALockFileDoNotUndoEachOther pins many connectors at once.
func TestUpdatesOfALockFileDoNotUndoEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), LockName)
	var all sync.WaitGroup
	const connectors = 20
	for i := range connectors {
		all.Go(func() {
			if err := UpdateLock(path, func(l *Lock) {
				l.Pin(fmt.Sprint("c", i), "1.0.0", LockedProgram{Source: "x", SHA256: strings.Repeat("a", 64), Size: 1})
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	lock, err := ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(lock.Connectors) != connectors {
		t.Errorf("%d connectors are pinned, want %d", len(lock.Connectors), connectors)
	}
}
