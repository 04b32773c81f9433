package recording

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Body is what a request or an answer carries, taken apart so that people can
// read it, secrets can be found in it, and two of them can be compared whatever
// the compressor or the boundary of the day. One field is set; an empty body has
// none.
type Body struct {
	JSON  json.RawMessage `json:"json,omitempty"`
	Form  url.Values      `json:"form,omitempty"`
	Text  string          `json:"text,omitempty"`
	Zip   []Entry         `json:"zip,omitempty"`
	Parts []Entry         `json:"parts,omitempty"` // of a multipart form
	Bytes []byte          `json:"bytes,omitempty"` // base64
}

// Entry is a file in a zip, or a part of a form.
type Entry struct {
	// Name is the file's path in the zip, or the part's name.
	Name string `json:"name"`
	// File is the file name of a part.
	File string `json:"file,omitempty"`
	Body *Body  `json:"body,omitempty"`
}

var zipMagic = []byte("PK\x03\x04")

// TakeApart makes a body of content and replaces its secrets.
func (r *Redactor) TakeApart(contentType string, content []byte) (*Body, error) {
	if len(content) == 0 {
		return nil, nil
	}
	kind, parameters, _ := mime.ParseMediaType(contentType) // unknown is a kind too
	switch {
	case kind == "application/x-www-form-urlencoded":
		if values, err := url.ParseQuery(string(content)); err == nil {
			return &Body{Form: r.Values(values)}, nil
		}
	case strings.HasPrefix(kind, "multipart/") && parameters["boundary"] != "":
		return r.parts(content, parameters["boundary"])
	case bytes.HasPrefix(content, zipMagic):
		return r.unzip(content)
	}
	if clean, ok := r.JSON(content); ok {
		return &Body{JSON: clean}, nil
	}
	if utf8.Valid(content) {
		return &Body{Text: r.Text(string(content))}, nil
	}
	return &Body{Bytes: []byte(r.exact(string(content)))}, nil
}

func (r *Redactor) parts(content []byte, boundary string) (*Body, error) {
	reader := multipart.NewReader(bytes.NewReader(content), boundary)
	b := &Body{}
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a multipart body: %w", err)
		}
		text, err := io.ReadAll(part) // bounded by content
		if err != nil {
			return nil, fmt.Errorf("reading a part of a body: %w", err)
		}
		name := part.FormName()
		if isSecret(name) {
			text = []byte(r.learn(name, string(text)))
		}
		body, err := r.TakeApart(part.Header.Get("Content-Type"), text)
		if err != nil {
			return nil, err
		}
		b.Parts = append(b.Parts, Entry{Name: name, File: part.FileName(), Body: body})
	}
}

func (r *Redactor) unzip(content []byte) (*Body, error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return &Body{Bytes: []byte(r.exact(string(content)))}, nil // torn, or only looks like a zip
	}
	var texts [][]byte // all, before time is spent on any
	left := r.largest
	for _, f := range archive.File {
		text, err := readEntry(f, left)
		if err != nil {
			return nil, fmt.Errorf("unpacking a zip: %w", err)
		}
		left -= int64(len(text))
		texts = append(texts, text)
	}
	b := &Body{}
	for i, f := range archive.File {
		body, err := r.TakeApart("", texts[i])
		if err != nil {
			return nil, err
		}
		b.Zip = append(b.Zip, Entry{Name: r.exact(f.Name), Body: body})
	}
	return b, nil
}

func readEntry(f *zip.File, most int64) ([]byte, error) {
	entry, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer entry.Close()
	text, err := io.ReadAll(io.LimitReader(entry, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it holds more than can be recorded")
	}
	return text, err
}

// Content puts a body together again.
func (b *Body) Content() ([]byte, error) {
	switch {
	case b == nil:
		return nil, nil
	case b.JSON != nil:
		return compact(b.JSON)
	case b.Form != nil:
		return []byte(b.Form.Encode()), nil
	case b.Text != "":
		return []byte(b.Text), nil
	case b.Bytes != nil:
		return b.Bytes, nil
	case b.Zip != nil:
		return zipOf(b.Zip)
	case b.Parts != nil:
		return nil, fmt.Errorf("an answer in parts cannot be replayed")
	}
	return nil, nil
}

func compact(text []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, text)
	return b.Bytes(), err
}

func zipOf(entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		text, err := e.Body.Content()
		if err != nil {
			return nil, err
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = f.Write(text)
		}
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// canonical is one text for all bodies that mean the same.
func (b *Body) canonical() string {
	switch {
	case b == nil:
		return ""
	case b.JSON != nil:
		return "json " + sorted(b.JSON)
	case b.Form != nil:
		return "form " + b.Form.Encode()
	case b.Text != "":
		return "text " + b.Text
	case b.Bytes != nil:
		return "bytes " + string(b.Bytes)
	}
	var texts []string
	for _, e := range slices.Concat(b.Zip, b.Parts) {
		texts = append(texts, fmt.Sprintf("entry %q %q %s", e.Name, e.File, e.Body.canonical()))
	}
	return strings.Join(texts, "\n")
}

// sorted writes JSON with its keys in order, and every digit as it was.
func sorted(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return string(text)
	}
	out, err := marshal(v)
	if err != nil {
		return string(text)
	}
	return string(out)
}
