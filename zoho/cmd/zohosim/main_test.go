package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/zoho/zohosim"
)

// serve runs the program until the test ends and returns its first line of output.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, in, io.Discard)
		_ = in.CloseWithError(io.EOF)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := out.Read(one); err != nil || one[0] == '\n' {
			return string(line)
		}
		line = append(line, one[0])
	}
}

func TestServesAndAnnouncesItself(t *testing.T) {
	dir := t.TempDir()
	seed, ready := filepath.Join(dir, "seed.txtar"), filepath.Join(dir, "ready")
	if err := os.WriteFile(seed, []byte("-- Vendors.csv --\nVendor_Name\n\"a, b\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line := serve(t, "--json", "--seed", seed, "--ready-file", ready, "--generate", "Leads=12", "--client-id", "1000.ABC", "--users", "3", "--variants", `{"status_case":"lower"}`, "--dir", dir)
	var e zohosim.Endpoint
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if e.ClientID != "1000.ABC" || e.GrantCode == "" || e.RefreshToken == "" || e.OrgID == "" {
		t.Errorf("line: %s", line)
	}
	resp, err := http.Get(e.BaseURL + "/_sim/state")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	state, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(state, []byte(`{"api_name":"Leads","records":12,`)) || !bytes.Contains(state, []byte(`{"api_name":"Vendors","records":1,`)) {
		t.Errorf("state: %v %s", err, state)
	}
	file, err := os.ReadFile(ready)
	if err != nil || strings.TrimSpace(string(file)) != line {
		t.Errorf("ready file: %v %s", err, file)
	}
}

func TestPlainLine(t *testing.T) {
	if line := serve(t, "--listen", "127.0.0.1:0"); !strings.HasPrefix(line, "zohosim ready at http://127.0.0.1:") || !strings.Contains(line, " refresh_token=1000.") {
		t.Errorf("line: %s", line)
	}
}

func TestBadArguments(t *testing.T) {
	for name, args := range map[string][]string{
		"edition":  {"--edition", "gold"},
		"listen":   {"--listen", "nowhere"},
		"seed":     {"--seed", "/does/not/exist"},
		"generate": {"--generate", "Leads"},
		"module":   {"--generate", "Nope=1"},
		"variants": {"--variants", "{"},
		"extra":    {"surplus"},
		"flag":     {"--no-such-flag"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
