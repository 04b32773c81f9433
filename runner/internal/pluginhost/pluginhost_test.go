package pluginhost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/runner"
)

func program(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	beside := program(t, filepath.Join(root, "bin", "sluice-connector-acme"), "x", 0o755)
	onPath := program(t, filepath.Join(root, "path", "sluice-connector-zoho"), "x", 0o755)
	program(t, filepath.Join(root, "path", "sluice-connector-acme"), "x", 0o755)
	plain := program(t, filepath.Join(root, "path", "sluice-connector-plain"), "x", 0o644)
	f := Finder{WorkDir: root, Beside: filepath.Join(root, "bin"), Path: filepath.Join(root, "none") + string(filepath.ListSeparator) + "path"}
	for name, want := range map[string]string{
		"acme": beside, "zoho": onPath, "sluice-connector-zoho": onPath, "./path/sluice-connector-zoho": onPath, onPath: onPath,
	} {
		if got, err := f.Find(name); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"": "name a connector", "none": "there is no program sluice-connector-none in", "./none": "there is no program at",
		plain: "chmod +x", "plain": "there is no program", "./path": "is a folder",
	} {
		if got, err := f.Find(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Find(%q) = %q, %v, want an error that says %q", name, got, err, want)
		}
	}
}

func TestAProgramThatChangedIsNotLaunched(t *testing.T) {
	t.Parallel()
	path := program(t, filepath.Join(t.TempDir(), "p"), "one", 0o755)
	sum, err := Checksum(path)
	if err != nil || sum != "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" {
		t.Fatalf("Checksum = %q, %v", sum, err)
	}
	ref := runner.ConnectorRef{Path: path, SHA256: sum}
	program(t, path, "two", 0o755)
	for _, want := range []string{"checksum differs", "there is no connector program"} {
		_, err := New(Config{}).Launch(t.Context(), ref)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "sluice connectors add "+path) {
			t.Errorf("error %v, want one that says %q and what to do", err, want)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProgramThatIsNoConnectorIsSaidSoWithItsWords(t *testing.T) {
	t.Parallel()
	path := program(t, filepath.Join(t.TempDir(), "p"), "#!/bin/sh\necho I am a teapot >&2\nexit 3\n", 0o755)
	_, err := New(Config{Environ: os.Environ()}).Launch(t.Context(), runner.ConnectorRef{Path: path})
	if err == nil || !strings.Contains(err.Error(), "I am a teapot") {
		t.Errorf("error %v", err)
	}
}

func TestTheEnvironmentIsClean(t *testing.T) {
	t.Parallel()
	got := clean([]string{"PATH=/bin", "SLUICE_KEY=secret", "SLUICE_RECORD_TO=/tmp", "AWS_SECRET_ACCESS_KEY=secret", "SLUICE_CONNECTOR_DEBUG=1", "TZ=UTC", "PATHOLOGY=1"})
	if diff := cmp.Diff([]string{"PATH=/bin", "SLUICE_CONNECTOR_DEBUG=1", "TZ=UTC"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLastWordsKeepsTheEnd(t *testing.T) {
	t.Parallel()
	w := &lastWords{}
	for range 1000 {
		if n, err := w.Write([]byte(strings.Repeat("x", 999) + "\n")); n != 1000 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if len(w.text) > 2*lastWordsSize+1000 {
			t.Fatalf("%d bytes are kept", len(w.text))
		}
	}
	if _, err := w.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if got := w.String(); len(got) != lastWordsSize || !strings.HasSuffix(got, "x\nthe end") {
		t.Errorf("kept %d bytes ending %q", len(got), got[len(got)-10:])
	}
}
