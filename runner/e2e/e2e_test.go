package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluiceio/sluice/connector/examples/slack"
	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
	"github.com/sluiceio/sluice/connector/plugin"
	"github.com/sluiceio/sluice/runner/internal/cli"
	"github.com/sluiceio/sluice/zoho"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"sluice":                 sluice,
		"sluice-connector-zoho":  func() { os.Exit(plugin.Main(zoho.New(zoho.WithPolling(20*time.Millisecond, 200*time.Millisecond)))) },
		"sluice-connector-slack": func() { os.Exit(plugin.Main(slack.New())) },
		"sluice-connector-dies":  func() { os.Exit(7) },
		"sluice-connector-rude":  hostileMain,
	})
}

// sluice is what runner/cmd/sluice does, without a terminal.
func sluice() {
	workDir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt)
	env := cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), WorkDir: workDir,
		Executable: executable, Now: time.Now, Interrupts: interrupts,
	}
	setTrap(&env)
	os.Exit(cli.Main(context.Background(), env, os.Args[1:]))
}

func TestScripts(t *testing.T) { testscript.Run(t, params("testdata/script")) }

// TestKnownDefects runs the scripts that tell what should work and does not yet.
// One that passes has to be moved to testdata/script.
func TestKnownDefects(t *testing.T) {
	names, err := filepath.Glob("testdata/known/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			p := params("")
			p.Files = []string{name}
			r := &recorder{}
			runs := make(chan struct{})
			go func() { defer close(runs); testscript.RunT(r, p) }()
			<-runs
			if !r.failed {
				t.Errorf("%s passes: move it to testdata/script", name)
			}
		})
	}
}

// recorder is a test that notes its failure instead of failing.
type recorder struct{ failed bool }

func (r *recorder) Skip(...any)   { runtime.Goexit() }
func (r *recorder) Fatal(...any)  { r.FailNow() }
func (r *recorder) FailNow()      { r.failed = true; runtime.Goexit() }
func (r *recorder) Parallel()     {}
func (r *recorder) Log(...any)    {}
func (r *recorder) Verbose() bool { return false }
func (r *recorder) Run(_ string, run func(testscript.T)) {
	done := make(chan struct{})
	go func() { defer close(done); run(r) }()
	<-done
}

func params(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Setenv("TZ", "UTC")
			env.Values[stageKey{}] = &stage{}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "tmpfs" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return canMount(), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim": simCmd, "connect": connectCmd, "grant": grantCmd, "fault": faultCmd, "heal": healCmd, "exits": exitsCmd,
			"count": countCmd, "written": writtenCmd, "await": awaitCmd, "rows": rowsCmd, "envsubst": envsubstCmd,
			"clock": clockCmd, "browse": browseCmd, "crash": crashCmd, "jobs": jobsCmd, "paced": pacedCmd, "disk": diskCmd, "fill": fillCmd, "runid": runidCmd,
			"serve": serveCmd, "slack": slackCmd, "posted": postedCmd, "called": calledCmd,
		},
	}
}

// stage is what one script works with.
type stage struct {
	sim   *zohosim.Sim
	slack *slackfake.Fake
}

type stageKey struct{}

func simOf(ts *testscript.TestScript) *zohosim.Sim {
	sim := ts.Value(stageKey{}).(*stage).sim
	if sim == nil {
		ts.Fatalf("there is no simulator: begin with the command sim")
	}
	return sim
}

func simCmd(ts *testscript.TestScript, _ bool, args []string) {
	config := zohosim.Config{JobDuration: 50 * time.Millisecond, DisableTokenThrottle: true, AutoConsent: true}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "edition":
			config.Edition = value
		case "polls":
			polls, err := strconv.Atoi(value)
			ts.Check(err)
			config.JobPolls = polls
		case "duration":
			duration, err := time.ParseDuration(value)
			ts.Check(err)
			config.JobDuration = duration
		default:
			ts.Fatalf("unknown option %q", arg)
		}
	}
	sim, err := zohosim.New(config)
	ts.Check(err)
	base, err := sim.Start()
	ts.Check(err)
	ts.Defer(func() { _ = sim.Close() })
	ts.Value(stageKey{}).(*stage).sim = sim
	endpoint := sim.Endpoint(base)
	ts.Setenv("SIM_URL", base)
	ts.Setenv("CLIENT_ID", endpoint.ClientID)
	ts.Setenv("CLIENT_SECRET", endpoint.ClientSecret)
	ts.Setenv("REFRESH_TOKEN", endpoint.RefreshToken)
	ts.Setenv("GRANT_CODE", endpoint.GrantCode)
}

func connectCmd(ts *testscript.TestScript, _ bool, args []string) {
	name := append(args, "crm")[0]
	ts.Check(ts.Exec("sluice", "connectors", "add", "zoho"))
	ts.Check(ts.Exec("sluice", "connections", "create", name, "--method", "self_client",
		"--answer", "client_id="+ts.Getenv("CLIENT_ID"), "--answer", "endpoint_url="+ts.Getenv("SIM_URL"),
		"--secret", "client_secret=env:CLIENT_SECRET", "--secret", "grant_code=env:GRANT_CODE"))
}

func grantCmd(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("GRANT_CODE", simOf(ts).NewGrantCode(strings.Join(args, ",")))
}

func faultCmd(ts *testscript.TestScript, _ bool, args []string) {
	var fault zohosim.Fault
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &fault))
	ts.Check(simOf(ts).Fault(fault))
}

func healCmd(ts *testscript.TestScript, _ bool, _ []string) { simOf(ts).ClearFaults() }

func exitsCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%s ended with exit code %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

func countCmd(ts *testscript.TestScript, _ bool, args []string) {
	if got := simOf(ts).Count(args[0]); fmt.Sprint(got) != args[1] {
		ts.Fatalf("the app holds %d %s, want %s", got, args[0], args[1])
	}
}

func writtenCmd(ts *testscript.TestScript, _ bool, args []string) {
	for id, times := range simOf(ts).WritesPerRecord(args[0]) {
		if times > 1 {
			ts.Fatalf("record %s of %s was written %d times", id, args[0], times)
		}
	}
}

func jobsCmd(ts *testscript.TestScript, _ bool, args []string) {
	if got := len(simOf(ts).JobCreations()); fmt.Sprint(got) != args[0] {
		ts.Fatalf("the app saw %d jobs, want %s", got, args[0])
	}
}

func pacedCmd(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	window, err := time.ParseDuration(args[1])
	ts.Check(err)
	times := simOf(ts).JobCreations()
	for i := range max(0, len(times)-most) {
		if took := times[i+most].Sub(times[i]); took < window {
			ts.Fatalf("jobs %d to %d were created within %s, at most %d may be within %s", i+1, i+most+1, took, most, window)
		}
	}
}

// canMount reports whether a small disk can be mounted here.
func canMount() bool {
	dir, err := os.MkdirTemp("", "sluice-disk")
	if err != nil {
		return false
	}
	defer func() { _ = os.Remove(dir) }()
	if exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir).Run() != nil {
		return false
	}
	return exec.Command("umount", dir).Run() == nil
}

func diskCmd(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(ts.Exec("mount", "-t", "tmpfs", "-o", "mode=700,size="+args[1], "tmpfs", dir))
	ts.Defer(func() { _ = exec.Command("umount", dir).Run() })
}

func fillCmd(ts *testscript.TestScript, _ bool, args []string) {
	leave, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	var size int64
	for block := make([]byte, 4096); ; size += int64(len(block)) {
		if _, err := file.Write(block); err != nil {
			break // full
		}
	}
	ts.Check(errors.Join(file.Truncate(max(0, size-leave)), file.Close()))
}

func awaitCmd(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	until(ts, strings.Join(args, " "), func() bool {
		seen := 0
		for _, r := range simOf(ts).RequestLog() {
			if r.Method == args[0] && pattern.MatchString(r.Path) {
				seen++
			}
		}
		return seen >= n
	})
}

func rowsCmd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var text strings.Builder
	text.WriteString("id,name,site\n")
	for i := range n {
		fmt.Fprintf(&text, "%d,\"Company, \"\"%d\"\"\",https://c%d.example.org\n", i+1, i+1, i+1)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o644))
}

func envsubstCmd(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// runidCmd puts the id of the first run of a JSON list into a variable.
func runidCmd(ts *testscript.TestScript, _ bool, args []string) {
	var runs []struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &runs))
	if len(runs) == 0 {
		ts.Fatalf("%s lists no run", args[1])
	}
	ts.Setenv(args[0], runs[0].ID)
}

func clockCmd(ts *testscript.TestScript, _ bool, args []string) {
	step, err := time.ParseDuration(args[0])
	ts.Check(err)
	simOf(ts).AdvanceClock(step)
}

// browseCmd is a browser: it opens the page that a command has written the
// address of to a file, and follows redirects back to the command.
func browseCmd(ts *testscript.TestScript, _ bool, args []string) {
	page := regexp.MustCompile(`https?://\S+response_type=code\S*`)
	var found string
	until(ts, "the address of a login page in "+args[0], func() bool {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		found = page.FindString(string(text))
		return found != ""
	})
	response, err := http.Get(found)
	ts.Check(err)
	body, err := io.ReadAll(response.Body)
	ts.Check(errors.Join(err, response.Body.Close()))
	ts.Logf("the browser shows %s: %s", response.Status, body)
}

// crashCmd kills the connector that a sluice of this script has launched.
func crashCmd(ts *testscript.TestScript, _ bool, _ []string) {
	here, err := filepath.EvalSymlinks(ts.MkAbs("."))
	ts.Check(err)
	killed := 0
	until(ts, "a connector process", func() bool {
		names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range names {
			text, _ := os.ReadFile(name)
			program, _, _ := strings.Cut(string(text), "\x00")
			if filepath.Base(program) != "sluice-connector-zoho" {
				continue
			}
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if launchedIn(pid) == here && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
		return killed > 0
	})
}

// launchedIn returns the working directory of a process's parent.
func launchedIn(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "PPid:\t")
	parent, _, _ := strings.Cut(rest, "\n")
	dir, _ := os.Readlink("/proc/" + parent + "/cwd")
	return dir
}

// serveCmd serves a folder by HTTP on this machine.
func serveCmd(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("FILES_URL", server.URL)
}

// until polls a condition for half a minute.
func until(ts *testscript.TestScript, what string, holds func() bool) {
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-pulse.C {
		if holds() {
			return
		}
	}
	ts.Fatalf("waited in vain for %s", what)
}
