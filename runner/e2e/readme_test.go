package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A block of the README that is run, with the outputs it promises.
type block struct {
	name, script string
	expect       []string
}

var blockPattern = regexp.MustCompile("(?m)^<!-- run: ([a-z]+) -->\n```sh\n((?s:.*?))^```\n((?:<!-- expect: .* -->\n)*)")

func readmeBlocks(t *testing.T) map[string][]block {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string][]block)
	for _, m := range blockPattern.FindAllStringSubmatch(string(text), -1) {
		b := block{name: m[1], script: m[2]}
		for line := range strings.Lines(m[3]) {
			b.expect = append(b.expect, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "<!-- expect: "), " -->"))
		}
		blocks[b.name] = append(blocks[b.name], b)
	}
	return blocks
}

// programs returns the folders with the built programs, or skips.
func programs(t *testing.T, needed ...string) string {
	t.Helper()
	var path []string
	for _, dir := range []string{"../../bin", "../../bin/tools"} {
		abs, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		path = append(path, abs)
	}
	for _, name := range needed {
		found := false
		for _, dir := range path {
			_, err := os.Stat(filepath.Join(dir, name))
			found = found || err == nil
		}
		if !found {
			t.Skipf("%s is not built in bin/: run this test with `make readme-check`", name)
		}
	}
	return strings.Join(append(path, os.Getenv("PATH")), string(os.PathListSeparator))
}

const separator = "@@@ next block @@@"

// runBlocks runs the blocks of one name in one shell, in an empty folder, and
// checks what each of them prints.
func runBlocks(t *testing.T, dir, path string, blocks []block) {
	t.Helper()
	if len(blocks) == 0 {
		t.Fatal("the README has no such blocks")
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n")
	for _, b := range blocks {
		fmt.Fprintf(&script, "echo '%s'\n%s", separator, b.script)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + path, "HOME=" + dir, "TZ=UTC", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	parts := strings.Split(out.String(), separator+"\n")[1:]
	for i, b := range blocks {
		if i >= len(parts) {
			break
		}
		for _, want := range b.expect {
			if !regexp.MustCompile(want).MatchString(parts[i]) {
				t.Errorf("block %d does not print %q; it is\n%s\nand prints\n%s", i+1, want, b.script, parts[i])
			}
		}
	}
	if err != nil {
		t.Fatalf("%v after block %d of %d:\n%s", err, len(parts), len(blocks), out.String())
	}
}

// TestReadmeGuide runs the README's guide with the file it is written for.
func TestReadmeGuide(t *testing.T) {
	path := programs(t, "sluice", "sluice-connector-zoho", "zohosim")
	data, err := os.ReadFile("../../../shared/data/universities.csv")
	if err != nil {
		t.Skipf("the file of 10,251 universities is not there: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "universities.csv"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	runBlocks(t, dir, path, readmeBlocks(t)["guide"])
}

// TestReadmeGrpcurl calls every RPC of the standalone connector.
func TestReadmeGrpcurl(t *testing.T) {
	path := programs(t, "sluice-connector-zoho", "zohosim", "grpcurl")
	blocks := readmeBlocks(t)["grpcurl"]
	runBlocks(t, t.TempDir(), path, blocks)
	proto, err := os.ReadFile("../../proto/sluice/connector/v1/connector_service.proto")
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	for _, b := range blocks {
		scripts.WriteString(b.script)
	}
	for _, m := range regexp.MustCompile(`rpc (\w+)\(`).FindAllStringSubmatch(string(proto), -1) {
		if !strings.Contains(scripts.String(), "call "+m[1]) {
			t.Errorf("the README does not call %s", m[1])
		}
	}
}
