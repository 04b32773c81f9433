package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A connector in another language may not watch its parent.
func TestAKilledHostTakesAnyProgramAlong(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pidFile := filepath.Join(t.TempDir(), "pid")
	host := exec.CommandContext(t.Context(), self)
	host.Env = append(os.Environ(), hostEnv+"=1", programEnv+"="+script(t, "echo $$ > "+pidFile+"; exec sleep 60"))
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	until(t, 10*time.Second, "the host launches nothing", func() bool {
		text, _ := os.ReadFile(pidFile)
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && alive(pid)
	})
	_ = host.Process.Kill()
	_ = host.Wait() // it was killed
	until(t, 2*time.Second, "the program outlives its host", func() bool { return !alive(pid) })
}
