package recording

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// app answers in all the ways there are.
func app(t *testing.T) *httptest.Server {
	t.Helper()
	polls, uploads := 0, 0
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "sid=cookie-of-"+whisp)
		fmt.Fprintf(w, `{"access_token":%q,"note":"%s is yours"}`, whisp, whisp)
	})
	mux.HandleFunc("GET /job", func(w http.ResponseWriter, r *http.Request) {
		polls++
		fmt.Fprintf(w, `{"state":"%s","id":5700000000000100274}`, []string{"QUEUED", "RUNNING", "DONE"}[min(polls, 3)-1])
	})
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		uploads++
		if uploads == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		text, _, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		content, _ := io.ReadAll(text)
		fmt.Fprintf(w, `{"bytes":%d}`, len(unzipped(t, content)))
	})
	mux.HandleFunc("GET /result", func(w http.ResponseWriter, r *http.Request) { w.Write(zipped(t, "id,name\n1,Müller\n", whisp)) })
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/result?sig="+whisp, http.StatusFound)
	})
	mux.HandleFunc("GET /packed", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "plain after all")
		z.Close()
	})
	mux.HandleFunc("GET /torn", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "the beginning")
	})
	mux.HandleFunc("GET /picture", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "\xff\xfe\x00 picture") })
	mux.HandleFunc("DELETE /x", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func zipped(t *testing.T, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, text := range texts {
		f, err := w.Create(fmt.Sprintf("f%d.csv", i))
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func unzipped(t *testing.T, content []byte) string {
	t.Helper()
	body, err := NewRedactor().unzip(content)
	if err != nil || body.Zip == nil {
		t.Errorf("no zip: %v", err)
		return ""
	}
	var texts string
	for _, e := range body.Zip {
		text, err := e.Body.Content()
		if err != nil {
			t.Error(err)
		}
		texts += string(text)
	}
	return texts
}

// visit does what a connector would do, and tells what it saw.
func visit(t *testing.T, ctx context.Context, base string) []string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	var port int
	if _, err := fmt.Sscan(u.Port(), &port); err != nil {
		t.Fatal(err)
	}
	client, err := egress.New(egress.Config{Addresses: []connector.NetworkAddress{{Scheme: "http", Host: u.Hostname(), Port: port}}, Retry: egress.Retry{MaxAttempts: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var seen []string
	ask := func(method, path, contentType string, body []byte) string {
		r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		resp, err := client.HTTP().Do(r)
		if err != nil {
			seen = append(seen, fmt.Sprintf("%s: %s", path, connector.AsError(err).Code))
			return ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if bytes.HasPrefix(text, zipMagic) {
			text = []byte(unzipped(t, text))
		}
		seen = append(seen, fmt.Sprintf("%s: %d %s %v", path, resp.StatusCode, text, err))
		return string(text)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {hush}}
	if secret, ok := ctx.Value(secretKey{}).(string); ok {
		form.Set("refresh_token", secret)
	}
	ask("POST", "/token", "application/x-www-form-urlencoded", []byte(form.Encode()))
	for range 3 {
		ask("GET", "/job", "", nil)
	}
	var upload bytes.Buffer
	w := multipart.NewWriter(&upload)
	f, err := w.CreateFormFile("file", "in.zip")
	if err == nil {
		_, err = f.Write(zipped(t, "id\n1\n"))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	ask("POST", "/upload", w.FormDataContentType(), upload.Bytes())
	for _, path := range []string{"/result", "/moved", "/packed", "/torn", "/picture", "/none"} {
		ask("GET", path, "", nil)
	}
	ask("DELETE", "/x", "", nil)
	ask("GET", "/job?b=2&a=1", "", nil)
	return seen
}

type secretKey struct{}

// What a connector sees of a recording is what it saw of the app, but for the
// secrets.
func TestARecordingAnswersAsTheAppDid(t *testing.T) {
	t.Parallel()
	server, folder := app(t), t.TempDir()
	recorder, err := NewRecorder(folder)
	if err != nil {
		t.Fatal(err)
	}
	told := recorder.Know(connector.Answers{"refresh_token": {hush}})
	before := visit(t, egress.WithTap(t.Context(), recorder.Tap), server.URL)
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := GatherExchanges(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteExchanges(folder, all); err != nil {
		t.Fatal(err)
	}
	server.Close() // nothing is asked any more
	if all, err = ReadExchanges(folder); err != nil {
		t.Fatal(err)
	}
	player := NewPlayer(all)
	ctx := context.WithValue(egress.WithTap(t.Context(), player.Tap), secretKey{}, told.Get("refresh_token"))
	after := visit(t, ctx, server.URL)
	var want []string
	for _, text := range before {
		want = append(want, strings.ReplaceAll(text, whisp, "REDACTED-access_token"))
	}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Error(diff)
	}
	if d := player.Differences(); d != nil {
		t.Errorf("differences: %v", d)
	}
	if len(before) != 13 || !strings.Contains(strings.Join(before, "\n"), "/torn: 200 the beginning unexpected EOF") {
		t.Errorf("the app was not seen in all its ways: %q", before)
	}
	if found, err := Scan(folder, []string{hush, whisp}); err != nil || len(found) > 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, ExchangesFile)); err != nil || !bytes.Contains(text, []byte(`"text": "id,name\n1,Müller\n"`)) {
		t.Errorf("the zip cannot be read in the file: %v", err)
	}
}

func TestTooLargeABodyFailsItsRequest(t *testing.T) {
	t.Parallel()
	recorder, err := NewRecorder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer recorder.Close()
	recorder.largest = 1 << 16
	endless := roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(zeros{}), Request: r}, nil
	})
	for name, body := range map[string]io.Reader{"answer": nil, "request": zeros{}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = recorder.Tap(endless).RoundTrip(r); connector.AsError(err) == nil || connector.AsError(err).Code != "TOO_LARGE_TO_RECORD" {
			t.Errorf("the %s: %v", name, err)
		}
	}
	bomb := zipped(t, strings.Repeat("x", 1<<15), strings.Repeat("x", 1<<15), "x")
	if _, err := recorder.TakeApart("application/zip", bomb); err == nil || !strings.Contains(err.Error(), "more than can be recorded") {
		t.Errorf("a zip bomb of %d bytes: %v", len(bomb), err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// asking is a way to ask a player in one line.
func asking(t *testing.T, p *Player, method, target, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.Tap(nil).RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exchange(number int64, method, target, body, answer string) Exchange {
	x := Exchange{Number: number, Request: Request{Method: method, URL: target}, Response: &Response{Status: 200, Body: &Body{Text: answer}}}
	if body != "" {
		x.Request.Body = &Body{JSON: []byte(body)}
	}
	return x
}

func TestRequestsMayComeInAnotherOrderButNotInAnotherForm(t *testing.T) {
	t.Parallel()
	p := NewPlayer([]Exchange{
		exchange(1, "GET", "https://a.example/job?id=1&v=2", "", "queued"), exchange(2, "POST", "https://a.example/x", `{"a":1,"b":[2]}`, "one"),
		exchange(3, "GET", "https://a.example/job?id=1&v=2", "", "done"), exchange(4, "POST", "https://a.example/x", `{"b":[2],"a":1}`, "two"),
		exchange(5, "POST", "https://a.example/never", `{}`, ""),
	})
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "https://a.example/x", ` {"b": [2], "a": 1}`, "one"}, {"GET", "https://a.example/job?v=2&id=1", "", "queued"},
		{"POST", "https://a.example/x", `{"a":1,"b":[2]}`, "two"}, {"GET", "https://a.example/job?v=2&id=1", "", "done"},
		{"GET", "https://a.example/job?v=2&id=1", "", "done"}, // asking once more does no harm
		{"POST", "https://a.example/x", `{"a":1,"b":[2]}`, "asked more often than it was recorded"},
		{"POST", "https://a.example/x", `{"a":1,"b":[3]}`, `recorded is the body "json {\"a\":1,\"b\":[2]}"`},
		{"GET", "https://a.example/job?id=2", "", "recorded is https://a.example/job?id=1&v=2"},
		{"GET", "https://b.example/", "", "no answer to GET https://b.example/"},
	} {
		if got := asking(t, p, c.method, c.target, c.body); got != c.want && !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %q, want %q", c.method, c.target, c.body, got, c.want)
		}
	}
	d := strings.Join(p.Differences(), "\n")
	if strings.Count(d, "not recorded: ") != 4 || strings.Count(d, "never sent: ") != 1 || !strings.Contains(d, "https://a.example/never (exchange 5)") {
		t.Errorf("differences: %s", d)
	}
	for range maxRepeats {
		asking(t, p, "GET", "https://a.example/job?v=2&id=1", "")
	}
	if got := asking(t, p, "GET", "https://a.example/job?v=2&id=1", ""); !strings.Contains(got, "more often") {
		t.Errorf("asked for ever: %q", got)
	}
}

func TestFailuresArePlayedAsFailures(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{failureDial, failureTimeout, failureNetwork} {
		p := NewPlayer([]Exchange{{Number: 1, Request: Request{Method: "POST", URL: "https://a.example/"}, Failure: kind}})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://a.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.Tap(nil).RoundTrip(r); failure(err) != kind {
			t.Errorf("%s was played as %v", kind, err)
		}
	}
}
