package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded is what a run leaves behind before it is made a test case.
func recorded(t *testing.T, conversation, exchanges string) (r *record, folder, work string) {
	t.Helper()
	env, _, _ := testEnv(t)
	folder = filepath.Join(env.WorkDir, "case")
	work = filepath.Join(folder, ".recording-1")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"conversation.jsonl": conversation, "exchanges.log": exchanges} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &record{app: &app{env: env}, to: "case"}, folder, work
}

const oneExchange = `{"number":1,"request":{"method":"GET","url":"https://a.example/"},"response":{"status":200,"body":{"text":"TEXT"}}}` + "\n"

// A secret that slipped through keeps the recording from being kept.
func TestARecordingWithASecretIsNotKept(t *testing.T) {
	t.Parallel()
	const secret = "hush-0123456789"
	for where, c := range map[string]struct{ conversation, exchanges string }{
		"in the conversation": {`{"about":{"note":"` + secret + `"}}`, oneExchange},
		"in an exchange":      {"{}", strings.Replace(oneExchange, "TEXT", "it is "+secret, 1)},
	} {
		r, folder, work := recorded(t, c.conversation, c.exchanges)
		err := r.keep(folder, work, []string{"another", secret})
		if err == nil || !strings.Contains(err.Error(), "nothing was kept") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v", where, err)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "*.json*")); left != nil {
			t.Errorf("%s: kept all the same: %v", where, left)
		}
	}
	r, folder, work := recorded(t, "{}", oneExchange)
	if err := r.keep(folder, work, []string{secret}); err != nil {
		t.Error(err)
	}
	if kept, _ := filepath.Glob(filepath.Join(folder, "*.json*")); len(kept) != 2 {
		t.Errorf("kept %v", kept)
	}
}

func TestARecordingOfNothingIsNotKept(t *testing.T) {
	t.Parallel()
	r, folder, work := recorded(t, "{}", "")
	err := r.keep(folder, work, nil)
	if err == nil || !strings.Contains(err.Error(), "recorded no request") || exitCode(err) != ExitUsage {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*.json*")); left != nil {
		t.Errorf("kept all the same: %v", left)
	}
}
