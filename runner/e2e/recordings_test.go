package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/connector/replay"
	"github.com/sluiceio/sluice/zoho"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

var updateRecordings = flag.Bool("update", false, "record zoho/testdata/recordings anew")

// The credentials of the recorded organisation; the tests of the connector look
// for them in the recordings.
const (
	recordedClientID     = "1000.RECORDEDCLIENT0RECORDEDCLIENT0"
	recordedClientSecret = "5ec7e7c11e27000000000000000000000000001234"
	recordedRefreshToken = "1000.5ec7e700000000000000000000000001.5ec7e700000000000000000000000002"
)

// secretKeeper stands before the simulator and notes every secret that passes.
type secretKeeper struct {
	next http.Handler

	mu   sync.Mutex
	seen map[string]bool
}

var tokenText = regexp.MustCompile(`"(?:access|refresh)_token"\s*:\s*"([^"]+)"`)

func (k *secretKeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.note(strings.TrimPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken "))
	tee := &teeWriter{ResponseWriter: w}
	k.next.ServeHTTP(tee, r)
	for _, m := range tokenText.FindAllStringSubmatch(tee.text.String(), -1) {
		k.note(m[1])
	}
}

func (k *secretKeeper) note(secrets ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			k.seen[s] = true
		}
	}
}

func (k *secretKeeper) secrets() (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.seen {
		all = append(all, s)
	}
	return all
}

type teeWriter struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (w *teeWriter) Write(p []byte) (int, error) {
	w.text.Write(p)
	return w.ResponseWriter.Write(p)
}

// leaks looks for secrets in the files of a folder by other means than package
// recording has: no agreement with it can hide one.
func leaks(t *testing.T, folder string, secrets []string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		plain := strings.NewReplacer(`\u0026`, "&", `\"`, `"`, `\\`, `\`, `\/`, "/").Replace(string(text))
		for _, s := range secrets {
			for how, form := range map[string]string{
				"plain": s, "in a URL": url.QueryEscape(s), "in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="), "in hex": hex.EncodeToString([]byte(s)),
				"reversed": reversed(s), "in part": s[:len(s)*2/3],
			} {
				if strings.Contains(plain, form) {
					found = append(found, fmt.Sprintf("%s holds a secret %s", filepath.Base(path), how))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// TestRecordings records an outbound and an inbound sync of the Zoho connector,
// looks for every secret that passed, and replays what was recorded. With
// -update, the recordings become those that the connector's own tests replay.
func TestRecordings(t *testing.T) {
	sim, err := zohosim.New(zohosim.Config{
		ClientID: recordedClientID, ClientSecret: recordedClientSecret, RefreshToken: recordedRefreshToken,
		DisableTokenThrottle: true, Dir: t.TempDir(), JobDuration: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	keeper := &secretKeeper{next: sim, seen: map[string]bool{}}
	server := httptest.NewServer(keeper)
	defer server.Close()
	ends := sim.Endpoint(server.URL)
	keeper.note(ends.ClientSecret, ends.RefreshToken, ends.GrantCode)

	dir := t.TempDir()
	env := append(os.Environ(), "CLIENT_SECRET="+ends.ClientSecret, "GRANT_CODE="+ends.GrantCode, "GORACE=atexit_sleep_ms=0", "TZ=UTC")
	sluice := func(exit int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sluice", args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		code := 0
		if e := (*exec.ExitError)(nil); errors.As(err, &e) {
			code = e.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != exit {
			t.Fatalf("sluice %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, exit, out)
		}
		return string(out)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A record holds what no record should: secrets, plain and in base64.
	planted := base64.StdEncoding.EncodeToString([]byte("secret:" + ends.ClientSecret))
	var rows strings.Builder
	rows.WriteString("id,name,site,note\n")
	for i := range 30 {
		fmt.Fprintf(&rows, "K%d,\"Company, \"\"%d\"\"\",https://c%d.example.org,\n", i, i, i)
	}
	fmt.Fprintf(&rows, "X1,,https://x1.example.org,\nX2,Nowhere,not a site,\nP1,Planted,,the secret is %s\nP2,Planted too,,%s\n", ends.ClientSecret, planted)
	write("companies.csv", rows.String())

	sluice(0, "connectors", "add", "zoho")
	sluice(0, "connections", "create", "crm", "--method", "self_client", "--answer", "client_id="+ends.ClientID, "--answer", "endpoint_url="+server.URL,
		"--secret", "client_secret=env:CLIENT_SECRET", "--secret", "grant_code=env:GRANT_CODE")
	sluice(0, "syncs", "create", "out", "--source-file", "companies.csv", "--identifier", "id", "--strategy", "Upsert",
		"--set", "module=Accounts", "--set", "unique_field=External_Key", "--set", "path=bulk",
		"--map", "External_Key=id", "--map", "Account_Name=name", "--map", "Website=site", "--map", "Description=note")
	sluice(0, "syncs", "create", "in", "--stream", "Accounts", "--table", "Accounts=crm.accounts")

	// In the recorded run the app has the connector wait, and refuses its token, so
	// that it gets another. An hour passes, or the inbound read would find the
	// records too young.
	for _, fault := range []zohosim.Fault{
		{Match: zohosim.Match{PathPattern: "/settings/fields", Nth: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429, RetryAfter: "2"}},
		{Match: zohosim.Match{PathPattern: "/upload$", Nth: 1}, Action: zohosim.Action{Kind: zohosim.ActionRevokeToken}},
	} {
		if err := sim.Fault(fault); err != nil {
			t.Fatal(err)
		}
	}
	sim.AdvanceClock(-time.Hour)
	said := sluice(1, "record", "out", "--to", "outbound")
	sim.AdvanceClock(time.Hour)
	if !strings.Contains(said, "32 SUCCEEDED, 2 REJECTED") || !strings.Contains(said, "replay.Run") {
		t.Errorf("the outbound recording says %s", said)
	}
	if said := sluice(0, "record", "in", "--to", "inbound"); !strings.Contains(said, "Accounts: 32 rows") {
		t.Errorf("the inbound recording says %s", said)
	}
	for _, name := range []string{"outbound", "inbound"} {
		folder := filepath.Join(dir, name)
		if left, _ := os.ReadDir(folder); len(left) != 2 {
			t.Errorf("%s holds %v", name, left)
		}
		if found := leaks(t, folder, keeper.secrets()); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
		if found, err := recording.Scan(folder, keeper.secrets()); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		t.Run(name, func(t *testing.T) { replay.Run(t, zoho.New(), folder) })
		if *updateRecordings {
			keepRecording(t, folder, filepath.Join("../../zoho/testdata/recordings", name))
		}
	}
	if len(keeper.secrets()) < 4 {
		t.Errorf("only %d secrets passed: the search shows little", len(keeper.secrets()))
	}
	replayAttached(t, dir, sluice)
	proveTheSearch(t, filepath.Join(dir, "outbound"), keeper.secrets())
}

// replayAttached captures a run and gives what was captured to a connector that
// is running already, as one under a debugger does.
func replayAttached(t *testing.T, dir string, sluice func(int, ...string) string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	serve := exec.CommandContext(ctx, "sluice-connector-zoho", "serve", "--listen", "127.0.0.1:0")
	serve.Cancel = func() error { return serve.Process.Signal(os.Interrupt) }
	said, err := serve.StderrPipe()
	if err == nil {
		err = serve.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer serve.Wait()
	defer end()
	line, err := bufio.NewReader(said).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the connector says %q, %v", line, err)
	}
	go io.Copy(io.Discard, said)

	sluice(1, "syncs", "run", "out", "--resync", "--capture", "captured.jsonl")
	if info, err := os.Stat(filepath.Join(dir, "captured.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the capture: %v, %v", info, err)
	}
	if said := sluice(0, "replay", "captured.jsonl", "--attach", address); !strings.Contains(said, "answered as captured") || !strings.Contains(said, "bulk write job") {
		t.Errorf("replaying says %s", said)
	}
	// Another answer is seen: the app has the record by another key now.
	text, err := os.ReadFile(filepath.Join(dir, "captured.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(text, []byte(`"not a site"`), []byte(`"https://x2.example.org"`))
	if err := os.WriteFile(filepath.Join(dir, "changed.jsonl"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := sluice(0, "replay", "changed.jsonl", "--attach", address); !strings.Contains(said, "1 differences") || !strings.Contains(said, "recorded was: REJECTED") {
		t.Errorf("replaying what was changed says %s", said)
	}
	sluice(2, "replay", "companies.csv", "--attach", address)
	sluice(2, "replay", "captured.jsonl", "--attach", address, "--connection", "none")
	sluice(3, "replay", "captured.jsonl", "--attach", "127.0.0.1:1")
}

// proveTheSearch plants each secret in a recording, in turn, and wants it found.
func proveTheSearch(t *testing.T, folder string, secrets []string) {
	for _, s := range secrets {
		planted := t.TempDir()
		body, err := json.Marshal(map[string]string{"text": "x" + s + "y"})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(planted, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(planted, "planted.json"), body, 0o600); err != nil {
			t.Fatal(err)
		}
		if len(leaks(t, planted, secrets)) == 0 {
			t.Error("a planted secret was not found")
		}
		if found, err := recording.Scan(planted, secrets); err != nil || len(found) == 0 {
			t.Errorf("a planted secret was not found by Scan: %v", err)
		}
	}
}

func keepRecording(t *testing.T, from, to string) {
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{recording.ConversationFile, recording.ExchangesFile} {
		source, err := os.Open(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(source)
		if err = errors.Join(err, source.Close()); err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
