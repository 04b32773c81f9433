package zohosim

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// world is a simulator on a port and a client with a token.
type world struct {
	t     *testing.T
	sim   *Sim
	base  string
	token string
	clock *testClock
}

// testClock is a clock tests move.
type testClock struct{ unix atomic.Int64 }

func (c *testClock) now() time.Time          { return time.Unix(c.unix.Load(), 0) }
func (c *testClock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

func start(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &testClock{}}
	w.clock.unix.Store(1_790_000_000)
	conf := Config{Clock: w.clock.now, Dir: t.TempDir()}
	if change != nil {
		change(&conf)
	}
	var err error
	if w.sim, err = New(conf); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.base, err = w.sim.Start(); err != nil {
		t.Fatal(err)
	}
	w.token = w.sim.NewAccessToken("")
	return w
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) send(req *http.Request) (*answer, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &answer{resp.StatusCode, resp.Header, b}, err
}

func (w *world) request(method, path, body string, header ...string) *http.Request {
	w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = w.base + path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Zoho-oauthtoken "+w.token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (w *world) do(method, path, body string, header ...string) *answer {
	w.t.Helper()
	a, err := w.send(w.request(method, path, body, header...))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want sends and insists on a status.
func (w *world) want(status int, method, path, body string, header ...string) *answer {
	w.t.Helper()
	a := w.do(method, path, body, header...)
	if a.status != status {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// at walks a JSON document by keys and indexes and renders the value found as text, "" for none.
func (a *answer) at(path ...any) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return ""
	}
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return ""
			}
			v = l[key]
		}
	}
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

const jsonType = "application/json"

// zipped packs files given as name, content pairs.
func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := z.Create(files[i])
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// uploadRequest builds an upload with the right headers.
func (w *world) uploadRequest(data []byte) *http.Request {
	w.t.Helper()
	return w.uploadRequestOf("file", data)
}

// uploadRequestOf is uploadRequest with a part of another name.
func (w *world) uploadRequestOf(partName string, data []byte) *http.Request {
	w.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile(partName, "data.zip")
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return w.request("POST", "/crm/v8/upload", b.String(), "Content-Type", m.FormDataContentType(), "feature", "bulk-write", "X-CRM-ORG", w.sim.OrgID())
}

// upload stores CSV text and returns the file id.
func (w *world) upload(files ...string) string {
	w.t.Helper()
	a, err := w.send(w.uploadRequest(zipped(w.t, files...)))
	if err != nil || a.status != 200 || a.at("code") != "FILE_UPLOAD_SUCCESS" {
		w.t.Fatalf("upload: %v %+v", err, a)
	}
	return a.at("details", "file_id")
}

// finish polls a job until its state is one of the final ones.
func (w *world) finish(path string, state ...any) *answer {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		a := w.want(200, "GET", path, "")
		switch a.at(state...) {
		case "COMPLETED", "FAILED", "FAILURE":
			return a
		}
	}
	w.t.Fatalf("%s did not finish", path)
	return nil
}

// bulkWrite uploads CSV text, runs a job over it and returns its last status and its result rows.
func (w *world) bulkWrite(module, operation, resource, text string) (*answer, [][]string) {
	w.t.Helper()
	id := w.upload("data.csv", text)
	body := fmt.Sprintf(`{"operation":%q,"resource":[{"type":"data","module":{"api_name":%q},"file_id":%q,"file_names":["data.csv"]%s}]}`, operation, module, id, resource)
	a := w.want(201, "POST", "/crm/bulk/v8/write", body, "Content-Type", jsonType)
	done := w.finish("/crm/bulk/v8/write/"+a.at("details", "id"), "status")
	if done.at("status") != "COMPLETED" {
		return done, nil
	}
	return done, w.rows(done.at("result", "download_url"))
}

// rows downloads a result zip and parses its first CSV.
func (w *world) rows(url string) [][]string {
	w.t.Helper()
	a := w.want(200, "GET", url, "")
	if !strings.Contains(a.header.Get("Content-Disposition"), `filename="`) {
		w.t.Errorf("download without Content-Disposition: %v", a.header)
	}
	return unzipRows(w.t, a.body)
}

func unzipRows(t testing.TB, data []byte) [][]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// bulkRead runs a bulk read and returns its last status and rows.
func (w *world) bulkRead(query string) (*answer, [][]string) {
	w.t.Helper()
	a := w.want(201, "POST", "/crm/bulk/v8/read", `{"query":`+query+`}`, "Content-Type", jsonType)
	done := w.finish("/crm/bulk/v8/read/"+a.at("data", 0, "details", "id"), "data", 0, "state")
	if done.at("data", 0, "state") != "COMPLETED" {
		return done, nil
	}
	return done, w.rows(done.at("data", 0, "result", "download_url"))
}

func (w *world) post(path string, form url.Values) *answer {
	w.t.Helper()
	return w.do("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func (w *world) insert(module string, values map[string]string) string {
	w.t.Helper()
	id, err := w.sim.Insert(module, values)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}
