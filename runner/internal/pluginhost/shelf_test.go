package pluginhost

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const teapot = "#!/bin/sh\necho short and stout\n"

// hostile is a server with a page for each way to go wrong, and one to go right.
func hostile(t *testing.T) string {
	t.Helper()
	left := make(chan struct{})
	mux := http.NewServeMux()
	page := func(path, text string, header ...string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			fmt.Fprint(w, text)
		})
	}
	redirect := func(path, to string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	page("/good/sluice-connector-teapot", teapot)
	page("/page", "\n <!DOCTYPE html><p>Sign in</p>")
	page("/archive.tar.gz", "\x1f\x8b\x08 archive")
	page("/archive.zip", "PK\x03\x04 archive")
	page("/text", "hello")
	page("/empty", "")
	page("/encoded", teapot, "Content-Encoding", "br")
	page("/huge", teapot, "Content-Length", "99999999999")
	page("/short", teapot, "Content-Length", "400")
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, teapot)
		for block := strings.Repeat("x", 1000); r.Context().Err() == nil; {
			if _, err := fmt.Fprint(w, block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/stalled", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, teapot)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-left:
		}
	})
	redirect("/moved", "/good/sluice-connector-teapot")
	redirect("/loop", "/loop")
	redirect("/clear", "http://example.com/program?signature=hush")
	redirect("/file", "file:///etc/passwd")
	redirect("/ftp", "ftp://example.com/p")
	server := httptest.NewServer(mux)
	t.Cleanup(func() { close(left); server.Close() })
	return server.URL
}

func TestHostileSourcesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	base := hostile(t)
	for path, want := range map[string]string{
		"/none": "404 Not Found", "/page": "is a web page", "/archive.tar.gz": "is a gzip archive", "/archive.zip": "is a zip archive",
		"/text": "not a program", "/empty": "is empty", "/encoded": "an encoding that was not asked for", "/huge": "larger than 4096 bytes",
		"/short": "unexpected EOF", "/endless": "larger than 4096 bytes", "/stalled": "sent nothing for a while",
		"/loop": "redirected more than 5 times", "/clear": "http://example.com/program is not downloaded in the clear", "/file": "names no host", "/ftp": "neither https nor a file",
	} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			shelf := Shelf{Dir: filepath.Join(t.TempDir(), "connectors"), MaxSize: 4096}
			if path == "/stalled" {
				shelf.Patience = 50 * time.Millisecond
			}
			source, err := ParseSource(base+path, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = shelf.Take(t.Context(), source, nil)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("error %v, want one that says %q", err, want)
			}
			if left, err := os.ReadDir(shelf.Dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestAProgramIsTakenAndKept(t *testing.T) {
	t.Parallel()
	base := hostile(t)
	file := program(t, filepath.Join(t.TempDir(), "teapot"), teapot, 0o755)
	for name, text := range map[string]string{"a URL": base + "/good/sluice-connector-teapot", "a redirect": base + "/moved", "a file": file} {
		t.Run(name, func(t *testing.T) {
			shelf := Shelf{Dir: filepath.Join(t.TempDir(), "connectors")}
			source, err := ParseSource(text, "")
			if err != nil {
				t.Fatal(err)
			}
			var done int64
			parcel, err := shelf.Take(t.Context(), source, func(n, _ int64) { done = n })
			if err != nil {
				t.Fatal(err)
			}
			if done != int64(len(teapot)) || parcel.Size != done {
				t.Errorf("%d bytes were told, %d counted, it has %d", done, parcel.Size, len(teapot))
			}
			path, err := parcel.Keep()
			if err != nil {
				t.Fatal(err)
			}
			sum, err := Checksum(path)
			if err != nil || sum != parcel.SHA256 || !shelf.Holds(path) || runnable(path) != nil {
				t.Errorf("kept at %s with checksum %s, %v", path, sum, err)
			}
			// What was altered on the shelf is replaced by what is installed anew.
			if err := os.Chmod(path, 0o700); err != nil {
				t.Fatal(err)
			}
			program(t, path, "#!/bin/sh\necho hijacked\n", 0o700)
			again, err := shelf.Take(t.Context(), source, nil)
			if err != nil {
				t.Fatal(err)
			}
			if path, err = again.Keep(); err != nil {
				t.Fatal(err)
			}
			if sum, err := Checksum(path); err != nil || sum != parcel.SHA256 {
				t.Errorf("after it was installed anew the checksum is %s, %v", sum, err)
			}
			if left, _ := os.ReadDir(shelf.Dir); len(left) != 1 {
				t.Errorf("on the shelf: %v", left)
			}
			if err := shelf.Remove(path); err != nil {
				t.Fatal(err)
			}
			if left, _ := os.ReadDir(shelf.Dir); len(left) != 0 {
				t.Errorf("after the removal: %v", left)
			}
		})
	}
	if err := (Shelf{Dir: t.TempDir()}).Remove(file); err != nil || runnable(file) != nil {
		t.Errorf("a program that is not on the shelf was removed: %v", err)
	}
}

func TestSourcesThatAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "name the file", "http://example.com/p": "use https", "http://127.0.0.1.example.com/p": "use https", "ftp://example.com/p": "neither https nor a file",
		"file:///etc/passwd": "names no host", "https:///p": "names no host", "https://user:hush@example.com/p": "may be a secret",
		"https://example.com/p?token=hush": "may be a secret", "https://example.com/p#hush": "may be a secret", "https://exa mple.com/%zz": "cannot be read",
	} {
		_, err := ParseSource(text, "/work")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
	for text, name := range map[string]string{
		"https://example.com/a/sluice-connector-x_{os}_{arch}": "", "https://example.com/%2e%2e": "connector", "https://example.com/": "connector",
		"https://example.com/..%2f..%2fevil": "evil", "http://[::1]:80/p": "p", "http://localhost/.hidden": "connector", "./p": "p",
	} {
		source, err := ParseSource(text, "/work")
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := source.name(); name != "" && got != name || strings.ContainsAny(got, "{}/") {
			t.Errorf("%q is called %q, want %q", text, got, name)
		}
	}
}

func TestRedirectsFromHTTPSStayThere(t *testing.T) {
	t.Parallel()
	request := func(text string) *http.Request {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u}
	}
	first := []*http.Request{request("https://example.com/p")}
	for text, ok := range map[string]bool{"https://files.example.com/p?signature=x": true, "http://127.0.0.1/p": false, "http://example.com/p": false} {
		if err := follow(request(text), first); (err == nil) != ok {
			t.Errorf("a redirect to %s: %v", text, err)
		}
	}
}
