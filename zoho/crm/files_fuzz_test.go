package crm

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzBulkReadCSV reads a result's CSV, whatever is in it: a row is as long as the
// header, cells come back as they were, and what fails fails as a damaged file.
func FuzzBulkReadCSV(f *testing.F) {
	for _, s := range []string{
		"Id,Last_Name\n1,\"a\"\"b\nc\"\n", "\uFEFFid\r\n1\r\n", "Id,A\n1\n", "Id\n\"", "", "\n\n", "Id,A,\n,,\n", "A;Id\n1;2\n", "Id,A\n5700000000000100001,=SUM(1)\n",
		"Id,A\r\n1,\"x\r\ny\"\r\n", "Id,A\n1,\x00\xff\n", "id,Id,ID\n1,2,3\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		a := archiveOf(t, zipOf(t, "1.csv", string(content)))
		rows, err := newRows(a, 0)
		if err != nil {
			_ = a.Close()
			if ErrorCode(err) != CodeBadArchive {
				t.Errorf("got %v", err)
			}
			return
		}
		defer func() { _ = rows.Close() }()
		if at := rows.IDColumn(); at >= 0 && !strings.EqualFold(rows.Header()[at], "id") {
			t.Errorf("the id column of %q is %d", rows.Header(), at)
		}
		var seen [][]string
		for row, err := range rows.All() {
			if err != nil {
				if ErrorCode(err) != CodeBadArchive {
					t.Errorf("got %v", err)
				}
				return
			}
			if len(row) != len(rows.Header()) {
				t.Errorf("a row of %d under %d names", len(row), len(rows.Header()))
			}
			seen = append(seen, slices.Clone(row))
		}
		if rows.Count() != int64(len(seen)) {
			t.Errorf("%d rows are counted, %d came", rows.Count(), len(seen))
		}
		sameAgain(t, rows.Header(), seen)
	})
}

// sameAgain writes rows as a CSV and reads them: the cells are the same.
func sameAgain(t *testing.T, header []string, rows [][]string) {
	t.Helper()
	if header == nil {
		return
	}
	var text []byte
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(append(text, '"'), strings.ReplaceAll(cell, `"`, `""`)...)
			text = append(text, '"')
		}
		text = append(text, '\n')
	}
	a := archiveOf(t, zipOf(t, "1.csv", string(text)))
	again, err := newRows(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if !slices.Equal(again.Header(), header) {
		t.Errorf("the header %q comes back as %q", header, again.Header())
	}
	n := 0
	for row, err := range again.All() {
		if err != nil || n >= len(rows) || !slices.Equal(row, rows[n]) {
			t.Fatalf("row %d comes back as %q, %v", n, row, err)
		}
		n++
	}
	if n != len(rows) {
		t.Errorf("%d rows come back of %d", n, len(rows))
	}
}

// hostileZip makes a zip of one entry whose header lies: its name, the sizes it
// declares, and its checksum are free.
func hostileZip(name string, packed []byte, method uint16, declared, actual uint32, sum uint32) []byte {
	var b bytes.Buffer
	le := binary.LittleEndian
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, le, v) // a buffer takes everything
		}
	}
	name = name[:min(len(name), 1<<10)]
	put(uint32(0x04034b50), uint16(20), uint16(0), method, uint16(0), uint16(0), sum, actual, declared, uint16(len(name)), uint16(0))
	b.WriteString(name)
	b.Write(packed)
	start := uint32(b.Len())
	put(uint32(0x02014b50), uint16(20), uint16(20), uint16(0), method, uint16(0), uint16(0), sum, actual, declared,
		uint16(len(name)), uint16(0), uint16(0), uint16(0), uint16(0), uint32(0), uint32(0))
	b.WriteString(name)
	size := uint32(b.Len()) - start
	put(uint32(0x06054b50), uint16(0), uint16(0), uint16(1), uint16(1), size, start, uint16(0))
	return b.Bytes()
}

// packed is deflated text.
func packed(t testing.TB, text string) []byte {
	t.Helper()
	z := zipOf(t, "x", text)
	r, err := zip.NewReader(bytes.NewReader(z), int64(len(z)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzHostileZip reads zips whose headers lie. Nothing is written beside the one
// temporary file, no more comes out than the bound, and what fails fails as a
// damaged or too large file.
func FuzzHostileZip(f *testing.F) {
	text := "Id,A\n1,2\n"
	sum := crc32.ChecksumIEEE([]byte(text))
	small := packed(f, text)
	bomb := packed(f, "Id\n"+strings.Repeat("0", 4<<20))
	f.Add("1.csv", small, uint16(8), uint32(len(text)), uint32(len(small)), sum)
	f.Add("../../../../tmp/evil.csv", small, uint16(8), uint32(len(text)), uint32(len(small)), sum)
	f.Add("/etc/passwd.csv", small, uint16(8), uint32(len(text)), uint32(len(small)), sum)
	f.Add(`C:\evil.csv`, small, uint16(8), uint32(len(text)), uint32(len(small)), sum)
	f.Add("a/../..\x00.csv", small, uint16(8), uint32(0), uint32(0), uint32(0))
	f.Add("1.csv", small, uint16(8), uint32(1), uint32(len(small)), sum)
	f.Add("1.csv", small, uint16(8), uint32(1<<31), uint32(1<<31), sum)
	f.Add("1.csv", []byte(text), uint16(0), uint32(len(text)), uint32(len(text)), sum)
	f.Add("1.csv", []byte(text), uint16(99), uint32(len(text)), uint32(len(text)), sum)
	f.Add("bomb.csv", bomb, uint16(8), uint32(3+4<<20), uint32(len(bomb)), uint32(0))
	f.Add("bomb.csv", bomb, uint16(8), uint32(10), uint32(len(bomb)), uint32(0))
	f.Fuzz(func(t *testing.T, name string, data []byte, method uint16, declared, actual, sum uint32) {
		const bound = 1 << 20
		dir := t.TempDir()
		a := &archive{op: OpBulkReadResult}
		var err error
		if a.file, err = os.CreateTemp(dir, ""); err != nil {
			t.Fatal(err)
		}
		body := hostileZip(name, data, method, declared, actual, sum)
		if err = a.fill(bytes.NewReader(body), bound, bound); err == nil {
			err = pourOut(t, a, bound)
		}
		if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Code != CodeBadArchive && e.Code != CodeDownloadLimit) {
			t.Errorf("got %v", err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func pourOut(t *testing.T, a *archive, bound int) error {
	t.Helper()
	rows, err := newRows(a, 0)
	if err != nil {
		return err
	}
	out := 0
	for row, err := range rows.All() {
		if err != nil {
			return err
		}
		for _, cell := range row {
			out += len(cell)
		}
	}
	if out > bound {
		t.Errorf("%d bytes came out of a bound of %d", out, bound)
	}
	if rows.table != nil {
		return rows.table.Close()
	}
	return nil
}

// answering gives every request one body.
type answering struct {
	status int
	body   []byte
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

// FuzzMetadata decodes whatever comes for modules, fields, layouts, the
// organisation and users: no name is empty, and what fails is an [*Error].
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{
		`{"modules":[{"api_name":"Leads","generated_type":"default","api_supported":true,"viewable":"true","status":"visible"}]}`,
		`{"modules":{"api_name":7,"visible":0}}`,
		`{"fields":[{"api_name":"Email","unique":{"casesensitive":true},"data_type":"email","lookup":{"module":{"api_name":"A"}},"pick_list_values":[{"actual_value":"x"},null]}]}`,
		`{"layouts":[{"id":1,"name":"Standard","sections":[{"fields":[{"api_name":"A","required":true}]}]},null]}`,
		`{"org":[{"zgid":808000144,"license_details":{"paid":"yes","users_license_purchased":"1e3"}}]}`,
		`{"users":[{"id":"1","time_zone":"Mars/Base","email":null}],"info":{"more_records":true,"page":1}}`,
		`{"users":[],"info":[]}`, `[]`, `null`, `"x"`, `{"org":null}`, `{"modules":[[[[]]]]}`, `{"code":"INVALID_TOKEN","status":"error"}`, ``,
	} {
		f.Add([]byte(s), 200)
	}
	f.Add([]byte("<html>"), 502)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			status = 200
		}
		c, err := New(WithEndpoint("http://127.0.0.1:1"), WithHTTPClient(&http.Client{Transport: answering{status, body}}), WithOrgID("1"))
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		modules, err := c.Modules(ctx)
		checkDecoded(t, err)
		for _, m := range modules {
			if m.APIName == "" {
				t.Errorf("got %+v", m)
			}
			_, _ = m.BulkReadable(), m.BulkWritable()
		}
		fields, err := c.Fields(ctx, "Leads")
		checkDecoded(t, err)
		for _, field := range fields {
			if field.APIName == "" || field.UniqueCase && !field.Unique {
				t.Errorf("got %+v", field)
			}
		}
		_, err = c.Layouts(ctx, "Leads")
		checkDecoded(t, err)
		org, err := c.Organization(ctx)
		checkDecoded(t, err)
		if b := Budget(org.License); b.Credits < 0 || b.Concurrency <= 0 {
			t.Errorf("a budget of %+v from %+v", b, org.License)
		}
		_, err = c.CurrentUser(ctx)
		checkDecoded(t, err)
		n := 0
		for _, err := range c.Users(ctx, AllUsers) {
			checkDecoded(t, err)
			if n++; n > 1000 || err != nil {
				break // a list that says it goes on forever
			}
		}
	})
}

func checkDecoded(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*Error](err); err != nil && !ok {
		t.Errorf("got %T: %v", err, err)
	}
}
