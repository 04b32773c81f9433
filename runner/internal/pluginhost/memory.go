package pluginhost

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/sluiceio/sluice/runner"
)

var _ runner.MemoryTeller = (*running)(nil)

// Memory returns what the connector's process holds: the second field of
// /proc/PID/statm, in pages (proc(5)). It is not known where there is no /proc.
func (r *running) Memory() (int64, bool) {
	pid := r.Pid()
	if pid == 0 {
		return 0, false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
