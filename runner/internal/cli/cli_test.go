package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// output is a buffer that may be read while a command writes to it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func testEnv(t *testing.T) (Env, *output, *output) {
	t.Helper()
	stdout, stderr := &output{}, &output{}
	return Env{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, WorkDir: t.TempDir(), Now: time.Now,
	}, stdout, stderr
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	run := func(state runner.RunState, class connector.Class) error {
		r := runner.Run{State: state}
		if class != "" {
			r.Error = &connector.Error{Class: class, Message: "m"}
		}
		return &runEnd{run: r}
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nothing wrong":      {nil, 0},
		"usage":              {usagef("x"), 2},
		"not found":          {fmt.Errorf("x: %w", runner.ErrNotFound), 2},
		"exists":             {fmt.Errorf("x: %w", runner.ErrExists), 2},
		"plan":               {fmt.Errorf("x: %w", &runner.PlanError{}), 4},
		"running":            {fmt.Errorf("x: %w", runner.ErrRunning), 7},
		"launch":             {fmt.Errorf("x: %w", &launchError{errors.New("y")}), 3},
		"incomplete":         {run(runner.RunIncomplete, ""), 1},
		"delayed":            {run(runner.RunDelayed, connector.ClassQuotaExhausted), 5},
		"failed":             {run(runner.RunFailed, connector.ClassInternal), 6},
		"failed to log in":   {run(runner.RunFailed, connector.ClassAuth), 3},
		"login":              {fmt.Errorf("x: %w", &connector.Error{Class: connector.ClassAuth}), 3},
		"bad answer":         {fmt.Errorf("x: %w", &connector.Error{Class: connector.ClassConfig}), 2},
		"budget":             {&connector.Error{Class: connector.ClassQuotaExhausted}, 5},
		"no time to begin":   {fmt.Errorf("x: %w", &connector.Error{Class: connector.ClassCancelled, Code: "DEADLINE"}), 5},
		"anything else":      {errors.New("x"), 8},
		"Ctrl-C":             {fmt.Errorf("%w: %w", errInterrupted, run(runner.RunDelayed, connector.ClassCancelled)), 130},
		"a cancelled lookup": {fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
	for _, class := range connector.Classes {
		if code := classExit(class); code < 2 || code == ExitInternal {
			t.Errorf("class %s has exit code %d", class, code)
		}
	}
}

func TestUsageErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"nonsense", "sluice --help"},
		{"syncs nonsense", "sluice syncs --help"},
		{"syncs run", "usage: sluice syncs run SYNC"},
		{"syncs run a a", "named twice"},
		{"runs list --nonsense", "sluice runs list --help"},
		{"runs records r --status GREAT", "REJECTED"},
		{"connectors add nothing", "sluice-connector-nothing"},
		{"connections show none", `no connection named "none"`},
		{"connections create c", "connectors list"},
		{"syncs create UPPER", "lower-case"},
		{"syncs create s", "connections list"},
		{"syncs run none", `no sync named "none"`},
		{"apply none.yaml", "none.yaml"},
		{"record s", "--to FOLDER"},
		{"record none --to case", `no sync named "none"`},
		{"replay none.jsonl", "serve --listen"},
		{"replay none.jsonl --attach 127.0.0.1:1", "none.jsonl"},
		{"syncs run a b --capture f", "one sync"},
		{"connectors install", "lists no connector"},
		{"connectors install --sha256 x", "goes with the PATH or URL"},
		{"connectors install http://example.com/p", "use https"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			env, _, stderr := testEnv(t)
			code := Main(t.Context(), env, strings.Fields(c.args))
			if code != ExitUsage || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("exit code %d, %q; want %d and %q", code, stderr, ExitUsage, c.want)
			}
		})
	}
}

func TestEmptyListsAreEmptyJSONLists(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv(t)
	for _, args := range []string{"connectors list", "connections list", "syncs list", "runs list"} {
		stdout := &output{}
		env.Stdout = stdout
		if code := Main(t.Context(), env, append(strings.Fields(args), "--json")); code != 0 || strings.TrimSpace(stdout.String()) != "[]" {
			t.Errorf("%s: exit code %d, %q", args, code, stdout)
		}
	}
}

func TestAnUnwritableStateFolderIsSaidInWords(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	if err := os.WriteFile(filepath.Join(env.WorkDir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := Main(t.Context(), env, []string{"runs", "list", "--state", "file/state"}); code != ExitInternal {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(stderr.String(), "choose another") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	interrupts := make(chan os.Signal)
	env.Interrupts = interrupts
	started, stopped := make(chan struct{}), make(chan struct{})
	release := make(chan struct{})
	result := make(chan error)
	go func() {
		result <- interruptible(t.Context(), env, func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			close(stopped)
			<-release // settles for ever
			return nil
		})
	}()
	<-started
	interrupts <- syscall.SIGINT
	<-stopped
	select {
	case err := <-result:
		t.Fatalf("the first Ctrl-C ended the command: %v", err)
	default:
	}
	interrupts <- syscall.SIGINT
	if err := <-result; exitCode(err) != ExitInterrupted {
		t.Errorf("error %v", err)
	}
	close(release)
	if !strings.Contains(stderr.String(), "Ctrl-C again") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestSecretsComeFromFilesAndTheEnvironment(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv(t)
	env.Environ = []string{"TOKEN=from env"}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "f"), []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{env: env}
	got, err := a.secretPairs([]string{"a=plain=x", "b=@f", "c=env:TOKEN"})
	want := connector.Answers{"a": {"plain=x"}, "b": {"from file"}, "c": {"from env"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []string{"very-secret", "a=@none", "a=env:NONE", "=very-secret"} {
		if _, err := a.secretPairs([]string{bad}); exitCode(err) != ExitUsage || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("--secret %s: %v", bad, err)
		}
	}
}

var form = connector.Form{Fields: []connector.Field{
	{Name: "region", Label: "Region", Default: []string{"us"}, Options: []connector.Option{{Value: "us"}, {Value: "eu"}}},
	{Name: "info", Kind: connector.FieldInformation},
	{Name: "id", Label: "Client ID", Required: true},
	{Name: "secret", Label: "Client secret", Required: true, Secret: true},
	{Name: "proxy", Required: true, DependsOn: []connector.Condition{{Field: "region", Values: []string{"cn"}}}},
}}

func TestMissingAnswersAreListedTogether(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv(t)
	err := (&app{env: env}).questions().fill(form, connector.Answers{}, connector.Answers{})
	if exitCode(err) != ExitUsage || !strings.Contains(err.Error(), "--answer id=") || !strings.Contains(err.Error(), "--secret secret=") || strings.Contains(err.Error(), "proxy") {
		t.Errorf("error %v", err)
	}
	err = (&app{env: env}).questions().fill(form, connector.Answers{"secret": {"s"}}, connector.Answers{})
	if exitCode(err) != ExitUsage || !strings.Contains(err.Error(), "is a secret") {
		t.Errorf("a secret given as an answer: %v", err)
	}
	if err := unknown(form, connector.Answers{"regoin": {"eu"}}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("an answer nobody asked for: %v", err)
	}
}

func TestAPersonIsAsked(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	env.StdinTerminal = true
	env.Stdin = strings.NewReader("\n\n1000.X\n")
	env.ReadSecret = func() (string, error) { return "hidden", nil }
	answers, secrets := connector.Answers{}, connector.Answers{}
	if err := (&app{env: env}).questions().fill(form, answers, secrets); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(connector.Answers{"region": {"us"}, "id": {"1000.X"}}, answers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(connector.Answers{"secret": {"hidden"}}, secrets); diff != "" {
		t.Error(diff)
	}
	if text := stderr.String(); !strings.Contains(text, "an answer is required") || strings.Contains(text, "hidden") {
		t.Errorf("asked %q", text)
	}
}

func TestWhoGivesAnswersIsAskedOnlyForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	env.StdinTerminal = true
	env.Stdin = strings.NewReader("")
	env.ReadSecret = func() (string, error) { return "hidden", nil }
	answers, secrets := connector.Answers{"id": {"1000.X"}}, connector.Answers{}
	ask := (&app{env: env}).questions()
	ask.brief = true
	if err := ask.fill(form, answers, secrets); err != nil {
		t.Fatal(err)
	}
	if answers.Get("region") != "us" || secrets.Get("secret") != "hidden" || strings.Contains(stderr.String(), "Region") {
		t.Errorf("answers %v, asked %q", answers, stderr.String())
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	three, hundred := 3, int64(100)
	got, err := overridden([]runner.LimitOverride{{Category: "old"}, {Category: "c", MaxConcurrency: &three}},
		[]string{"c=10/minute,5/2s", "credits=100"}, []string{"d=3"}, []string{"old"})
	want := []runner.LimitOverride{
		{Category: "c", MaxConcurrency: &three, Rates: []connector.Rate{{Count: 10, Per: time.Minute}, {Count: 5, Per: 2 * time.Second}}},
		{Pool: "credits", Capacity: &hundred}, {Category: "d", MaxConcurrency: &three},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range [][3][]string{{{"c"}, nil, nil}, {{"c=fast"}, nil, nil}, {{"p=-1"}, nil, nil}, {nil, {"c=many"}, nil}, {nil, nil, {"none"}}} {
		if _, err := overridden(nil, bad[0], bad[1], bad[2]); exitCode(err) != ExitUsage {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// visit does what a browser does after the consent page: it comes back.
func visit(t *testing.T, stderr *output, change func(url.Values)) {
	t.Helper()
	var page *url.URL
	pulse := time.NewTicker(time.Millisecond)
	defer pulse.Stop()
	for deadline := time.Now().Add(10 * time.Second); page == nil; <-pulse.C {
		if time.Now().After(deadline) {
			t.Errorf("no login page was printed: %q", stderr)
			return
		}
		for line := range strings.Lines(stderr.String()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "https://") {
				page, _ = url.Parse(line)
			}
		}
	}
	query := url.Values{"state": {page.Query().Get("state")}, "code": {"c0de"}, "location": {"eu"}}
	change(query)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page.Query().Get("redirect_uri")+"?"+query.Encode(), nil)
	if err != nil {
		t.Error(err)
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	_ = response.Body.Close()
}

func TestLogin(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	template := connector.OAuthTemplate{
		AuthorizationURL: "https://accounts.example.org/auth?fixed=1", Scopes: []string{"a", "b"}, ScopeSeparator: ",",
		Parameters: map[string]string{"access_type": "offline"}, ClientIDField: "id", PKCE: true,
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		visit(t, stderr, func(q url.Values) { q.Set("state", "forged") })
		visit(t, stderr, func(url.Values) {})
	})
	got, err := (&app{env: env}).login(t.Context(), template, connector.Answers{"id": {"1000.X"}}, "http://127.0.0.1:0/callback")
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got.Code != "c0de" || got.Parameters["location"] != "eu" || len(got.CodeVerifier) < 43 || !strings.HasPrefix(got.RedirectURI, "http://127.0.0.1:") {
		t.Errorf("authorization %+v", got)
	}
	for _, want := range []string{"fixed=1", "scope=a%2Cb", "access_type=offline", "client_id=1000.X", "code_challenge_method=S256", "response_type=code"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the login page lacks %s: %s", want, stderr)
		}
	}
}

func TestALoginThatWasRefusedIsAnAuthError(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		visit(t, stderr, func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") })
	})
	_, err := (&app{env: env}).login(t.Context(), connector.OAuthTemplate{AuthorizationURL: "https://x.example.org"}, nil, "http://127.0.0.1:0/callback")
	wg.Wait()
	if connector.ClassOf(err) != connector.ClassAuth || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("error %v", err)
	}
	if _, err := (&app{env: env}).login(t.Context(), connector.OAuthTemplate{}, nil, "https://example.org/callback"); exitCode(err) != ExitUsage {
		t.Errorf("a redirect to elsewhere: %v", err)
	}
}

func TestProgressIsOneLineInTwoSecondsAndAtChanges(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	p := (&app{env: env}).progress(false)
	now := time.Unix(1000, 0)
	p.Watch(runner.Event{Time: now, Plan: &runner.PlanReport{Records: 100, SourceRows: 200}})
	for i := range 50 { // 5 seconds
		p.Watch(runner.Event{Time: now.Add(time.Duration(i) * 100 * time.Millisecond), Outcomes: map[connector.Status]int64{connector.StatusSucceeded: int64(i), "": 50}})
	}
	now = now.Add(5 * time.Second)
	p.Watch(runner.Event{Time: now, Ticket: &connector.Ticket{ID: "job", State: connector.TicketSubmitted}})
	p.Watch(runner.Event{Time: now, Ticket: &connector.Ticket{ID: "job", State: connector.TicketSubmitted}})
	p.Watch(runner.Event{Time: now, Progress: &connector.Progress{Activity: "polling", Waiting: connector.WaitingApp}})
	p.finish()
	want := "planned: 100 of 200 rows to send\n20 of 100 settled: 20 SUCCEEDED, 50 not settled\n40 of 100 settled: 40 SUCCEEDED, 50 not settled\nwork job is SUBMITTED\npolling\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProgressDrawsBarsOnATerminal(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv(t)
	env.StderrTerminal = true
	p := (&app{env: env}).progress(false)
	p.Watch(runner.Event{Time: time.Now(), Plan: &runner.PlanReport{Records: 10}})
	p.Watch(runner.Event{Time: time.Now(), Outcomes: map[connector.Status]int64{connector.StatusSucceeded: 10}})
	p.Watch(runner.Event{Time: time.Now(), Stream: &runner.StreamResult{Stream: "Leads", Counts: runner.StreamCounts{Rows: 7}}})
	p.finish()
	for _, want := range []string{"records", "10", "Leads", "7"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the bars lack %q: %q", want, stderr)
		}
	}
}

func TestFieldFor(t *testing.T) {
	t.Parallel()
	options := []connector.Option{
		{Value: "Account_Name", Label: "Account Name"}, {Value: "Website", Label: "Web site"},
		{Value: "id", Label: "Record ID", Disabled: true}, {Value: "Billing", Label: "Phone"},
	}
	for column, want := range map[string]string{"account name": "Account_Name", "WEBSITE": "Website", "phone": "Billing", "id": "", "other": ""} {
		if got, ok := fieldFor(column, options); got != want || ok != (want != "") {
			t.Errorf("fieldFor(%q) = %q, %v", column, got, ok)
		}
	}
}

// TestTheGravestEndOfSeveralIsTheExitCode includes records that a resumed run left
// in doubt, which the fresh run after it does not send.
func TestTheGravestEndOfSeveralIsTheExitCode(t *testing.T) {
	healthy := ending{run: runner.Run{ID: "2", State: runner.RunHealthy}}
	delayed := ending{run: runner.Run{ID: "3", State: runner.RunDelayed}}
	failed := ending{run: runner.Run{ID: "4", State: runner.RunFailed}}
	resumed, doubt := healthy, healthy
	resumed.resumed = runner.Run{ID: "1", State: runner.RunHealthy, Outcomes: map[connector.Status]int64{connector.StatusSucceeded: 2}}
	doubt.resumed = runner.Run{ID: "1", State: runner.RunIncomplete, Outcomes: map[connector.Status]int64{connector.StatusInDoubt: 1}}
	for name, c := range map[string]struct {
		ends []ending
		want int
	}{
		"all well":                  {[]ending{healthy, healthy}, ExitOK},
		"one resumed, all well":     {[]ending{healthy, resumed}, ExitOK},
		"one resumed and in doubt":  {[]ending{doubt, delayed}, ExitIncomplete},
		"delayed":                   {[]ending{healthy, delayed}, ExitDelayed},
		"in doubt and failed":       {[]ending{doubt, failed}, ExitFailed},
		"not run, and one in doubt": {[]ending{doubt, {err: runner.ErrNotFound}}, ExitUsage},
	} {
		if got := exitCode(worst(c.ends)); got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}
