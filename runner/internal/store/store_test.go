package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Harness{New: func(t *testing.T) func() runner.Store {
		path := filepath.Join(t.TempDir(), "state with ?#% in it", "sluice.db")
		return func() runner.Store { return open(t, Config{Path: path}) }
	}})
}

func open(t *testing.T, config Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// helper names what a second process of this test does; its arguments follow.
const helper = "SLUICE_STORE_TEST"

// TestHelper is the second process: it does nothing unless started as one.
func TestHelper(t *testing.T) {
	path := os.Getenv(helper)
	if path == "" {
		t.Skip("started by other tests only")
	}
	s := open(t, Config{Path: path})
	switch os.Getenv(helper + "_DO") {
	case "exhaust":
		fmt.Printf("granted=%d\n", storetest.Exhaust(t, s, "run of "+strconv.Itoa(os.Getpid())))
	case "hold":
		if err := s.StartRun(t.Context(), run("held", "leads")); err != nil {
			t.Fatal(err)
		}
		fmt.Println("held=1")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent kills or closes
	}
}

// process starts the second process.
func process(t *testing.T, path, do string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelper$", "-test.v")
	cmd.Env = append(os.Environ(), helper+"="+path, helper+"_DO="+do)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestTwoProcessesAreGrantedThePoolOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.db")
	s := open(t, Config{Path: path})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var sum int64
	for range 2 {
		wg.Go(func() {
			out, err := process(t, path, "exhaust").Output()
			_, text, _ := strings.Cut(string(out), "granted=")
			granted, parse := strconv.ParseInt(strings.SplitN(text, "\n", 2)[0], 10, 64)
			if err != nil || parse != nil {
				t.Errorf("second process: %v\n%s", errors.Join(err, parse), out)
			}
			mu.Lock()
			defer mu.Unlock()
			sum += granted
		})
	}
	wg.Go(func() {
		granted := storetest.Exhaust(t, s, "run here")
		mu.Lock()
		defer mu.Unlock()
		sum += granted
	})
	wg.Wait()
	if sum != 510 {
		t.Errorf("three processes were granted %d units of 510", sum)
	}
}

func TestARunOfADeadProcessIsOpenAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.db")
	s := open(t, Config{Path: path})
	withSync(t, s, "leads")
	cmd := process(t, path, "hold")
	_, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen []byte
	for chunk := make([]byte, 512); !bytes.Contains(seen, []byte("held=1")); {
		n, err := out.Read(chunk)
		if seen = append(seen, chunk[:n]...); err != nil {
			t.Fatalf("second process: %v\n%s", err, seen)
		}
	}
	if _, _, err := s.OpenRun(t.Context(), "leads"); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("while the holder lives: %v, want ErrRunning", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	got, found, err := s.OpenRun(t.Context(), "leads")
	if err != nil || !found || got.ID != "held" {
		t.Errorf("after the holder's death: %q, %v, %v", got.ID, found, err)
	}
}

func TestARunOfASilentMachineIsOpenAfterItsLease(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.db")
	now := time.Now()
	far := open(t, Config{Path: path, Now: func() time.Time { return now }})
	far.holder.host = "another machine"
	withSync(t, far, "leads")
	if err := far.StartRun(t.Context(), run("held", "leads")); err != nil {
		t.Fatal(err)
	}
	near := open(t, Config{Path: path, Now: func() time.Time { return now }})
	now = now.Add(LeaseTime - time.Second)
	if _, _, err := near.OpenRun(t.Context(), "leads"); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("before the lease is over: %v, want ErrRunning", err)
	}
	now = now.Add(2 * time.Second)
	if _, found, err := near.OpenRun(t.Context(), "leads"); err != nil || !found {
		t.Errorf("after the lease is over: %v, %v", found, err)
	}
	if err := far.SaveRun(t.Context(), run("held", "leads")); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("the machine that was silent saves its run: %v, want ErrRunning", err)
	}
}

func TestSecretsAreSealedInTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := open(t, Config{Path: filepath.Join(folder, "sluice.db")})
	const text = "a-very-secret-value"
	if err := s.PutConnection(t.Context(), runner.Connection{Name: "main", Secrets: connector.Answers{"token": {text}}}); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(names) < 2 {
		t.Fatalf("files %v, %v", names, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			t.Errorf("%s holds the secret in clear", name)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestASecretOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "sluice.db")})
	for _, name := range []string{"a", "b"} {
		if err := s.PutConnection(t.Context(), runner.Connection{Name: name, Secrets: connector.Answers{"token": {"of " + name}, "other": {"x"}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, swap := range []string{
		"UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE connection = 'b' AND field = 'token') WHERE connection = 'a' AND field = 'token'",
		"UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE connection = 'b' AND field = 'other') WHERE connection = 'b' AND field = 'token'",
	} {
		if _, err := s.db.ExecContext(t.Context(), swap); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if c, err := s.Connection(t.Context(), name); err == nil || strings.Contains(err.Error(), "of b") {
			t.Errorf("a secret moved into %s was opened: %v, %v", name, c.Secrets, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	otherKey := bytes.Repeat([]byte{7}, keySize)
	for name, c := range map[string]struct {
		spoil func(t *testing.T, folder string) Config
		want  string
	}{
		"a key that is not the store's": {func(t *testing.T, folder string) Config {
			return Config{Path: filepath.Join(folder, "sluice.db"), Key: otherKey}
		}, "the key is not the one"},
		"a key file that is gone": {func(t *testing.T, folder string) Config {
			check(t, os.Remove(filepath.Join(folder, "sluice.key")))
			return Config{Path: filepath.Join(folder, "sluice.db")}
		}, "is gone"},
		"a key file that others can read": {func(t *testing.T, folder string) Config {
			check(t, os.Chmod(filepath.Join(folder, "sluice.key"), 0o644))
			return Config{Path: filepath.Join(folder, "sluice.db")}
		}, "chmod 600"},
		"a key file that holds no key": {func(t *testing.T, folder string) Config {
			check(t, os.WriteFile(filepath.Join(folder, "sluice.key"), []byte("hello"), 0o600))
			return Config{Path: filepath.Join(folder, "sluice.db")}
		}, "openssl rand"},
		"a file that is no store": {func(t *testing.T, folder string) Config {
			path := filepath.Join(folder, "letter.txt")
			check(t, os.WriteFile(path, bytes.Repeat([]byte("Dear reader, "), 100), 0o600))
			return Config{Path: path}
		}, "not a control store"},
		"a store of a newer version": {func(t *testing.T, folder string) Config {
			db, err := sql.Open("sqlite", filepath.Join(folder, "sluice.db"))
			check(t, err)
			defer db.Close()
			_, err = db.ExecContext(t.Context(), "PRAGMA user_version = 99")
			check(t, err)
			return Config{Path: filepath.Join(folder, "sluice.db")}
		}, "newer sluice"},
		"a folder that is a file": {func(t *testing.T, folder string) Config {
			path := filepath.Join(folder, "file")
			check(t, os.WriteFile(path, nil, 0o600))
			return Config{Path: filepath.Join(path, "sluice.db")}
		}, "choose another one"},
		"no path": {func(*testing.T, string) Config { return Config{} }, "no path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			s, err := Open(t.Context(), Config{Path: filepath.Join(folder, "sluice.db")})
			check(t, err)
			check(t, s.Close())
			s, err = Open(t.Context(), c.spoil(t, folder))
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestAFullDiskIsSaidInWordsAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "sluice.db")})
	s.db.SetMaxOpenConns(1) // the bound below belongs to a connection
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	big := runner.Connection{Name: "big", Account: strings.Repeat("x", 1<<20)}
	if err := s.PutConnection(t.Context(), big); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("error %v, want one about the full disk", err)
	}
	if _, err := s.Connection(t.Context(), "big"); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("after the refusal: %v, want ErrNotFound", err)
	}
	if err := s.PutConnection(t.Context(), runner.Connection{Name: "small"}); err != nil {
		t.Errorf("the store takes nothing any more: %v", err)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("ab", 32), strings.Repeat("ab", 32) + "\n", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="} {
		key, err := ParseKey(text)
		if err != nil || !bytes.Equal(key, bytes.Repeat([]byte{0xab}, 32)) {
			t.Errorf("ParseKey(%q) = %x, %v", text, key, err)
		}
	}
	for _, text := range []string{"", "abcd", "secret!", strings.Repeat("ab", 31)} {
		if _, err := ParseKey(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("ParseKey(%q): error %v", text, err)
		}
	}
}

func TestAWriteWaitsOnlyAsLongAsItsContext(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "sluice.db")})
	<-s.writer // somebody writes for ever
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Release(ctx, "r"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	s.writer <- struct{}{}
}

func withSync(t *testing.T, s *Store, name string) {
	t.Helper()
	check(t, s.PutConnection(t.Context(), runner.Connection{Name: "main"}))
	check(t, s.PutSync(t.Context(), runner.Sync{Name: name, Connection: "main"}))
}

func run(id, sync string) runner.Run {
	return runner.Run{ID: id, Sync: sync, State: runner.RunRunning, StartedAt: time.Now()}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
