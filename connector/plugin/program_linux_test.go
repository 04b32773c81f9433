package plugin

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// pinned copies a program of the system and returns its path and checksum.
func pinned(t *testing.T, name string) (path, checksum string) {
	t.Helper()
	source, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here: %v", name, err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path, fmt.Sprintf("%x", sha256.Sum256(text))
}

// A program that is replaced after its checksum was compared does not run: the
// one that was read does.
func TestWhatWasCheckedIsWhatRuns(t *testing.T) {
	path, sum := pinned(t, "true")
	other, _ := pinned(t, "false")
	p, err := openProgram(path, sum)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	executable, err := p.executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(path string) error { return (&exec.Cmd{Path: path, Args: []string{"program"}}).Run() }
	if run(path) == nil {
		t.Fatal("the path does not lead to the other program: this test shows nothing")
	}
	if err := run(executable); err != nil {
		t.Errorf("not the program that was read ran: %v", err)
	}
}

func TestAScriptThatIsReplacedWhileItIsCheckedDoesNotRun(t *testing.T) {
	path := script(t, "exit 0")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openProgram(path, fmt.Sprintf("%x", sha256.Sum256(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if got, err := p.executable(); got != path || err != nil {
		t.Errorf("a script is executed as %q, %v; its interpreter wants its path", got, err)
	}
	if err := os.Rename(script(t, "exit 1"), path); err != nil {
		t.Fatal(err)
	}
	_, err = p.executable()
	if e := wantError(t, err, connector.ClassConfig, "CHECKSUM_MISMATCH"); !strings.Contains(e.Message, "was replaced while") {
		t.Errorf("the error says %v", e)
	}
}

// A process that was executed by its descriptor is still called by its name.
func TestTheProcessHasTheNameOfItsProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Launch(t.Context(), LaunchConfig{Path: self, Checksum: fmt.Sprintf("%x", sha256.Sum256(text))})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.Pid()))
	if want := filepath.Base(self); err != nil || !strings.HasPrefix(want, strings.TrimSpace(string(comm))) {
		t.Errorf("the process is called %q, %v; want %q", comm, err, want)
	}
}
