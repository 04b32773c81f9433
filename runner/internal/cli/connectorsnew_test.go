package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestANewConnectorPassesVerify writes a project, builds it as its author would,
// and has its program examined with the answers that come with it.
func TestANewConnectorPassesVerify(t *testing.T) {
	t.Parallel()
	env, stdout, stderr := testEnv(t)
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if code := Main(t.Context(), env, []string{"connectors", "new", "acme-crm", "--replace", root, "--json"}); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	var shape NewConnectorShape
	if err := json.Unmarshal([]byte(stdout.String()), &shape); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(env.WorkDir, "sluice-connector-acme-crm")
	if shape.Folder != dir || shape.Module != "example.com/sluice-connector-acme-crm" || len(shape.Files) < 12 {
		t.Errorf("%+v", shape)
	}
	if code := Main(t.Context(), env, []string{"connectors", "new", "acme-crm"}); code != ExitUsage || !strings.Contains(stderr.String(), "is not empty") {
		t.Errorf("once more: exit code %d: %s", code, stderr)
	}

	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(env.WorkDir, "bin")+"/", "./cmd/...")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	answers, err := os.ReadFile(filepath.Join(dir, "verify.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	answers = []byte(strings.Replace(string(answers), "http://127.0.0.1:7799", fakeApp(t, filepath.Join(env.WorkDir, "bin", "fakeapp")), 1))
	if err := os.WriteFile(filepath.Join(env.WorkDir, "verify.yaml"), answers, 0o600); err != nil {
		t.Fatal(err)
	}
	env.Environ = append(env.Environ, "APP_KEY=let-me-in", "APP_OLD_KEY=an-old-key")
	verify := []string{"verify", "./bin/sluice-connector-acme-crm", "--config", "verify.yaml", "--set", "requests=10000/second"}
	if code := Main(t.Context(), env, verify); code != ExitOK || !strings.Contains(stdout.String(), "acme-crm 0.1.0: 1") || !strings.Contains(stdout.String(), " laws held, 0 broken") {
		t.Fatalf("exit code %d: %s%s", code, stderr, stdout)
	}
}

// fakeApp runs the project's fake and returns where it listens.
func fakeApp(t *testing.T, program string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // what it is ended by
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}
