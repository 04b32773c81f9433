package crm

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readCSV reads all records.
func readCSV(r io.Reader) (records [][]string, err error) {
	c := newCSVReader(r)
	for {
		row, err := c.read()
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, slices.Clone(row))
	}
}

// checkCSV compares with package csv, however the input arrives. That package changes carriage returns inside quotes.
func checkCSV(t *testing.T, text string) {
	t.Helper()
	want, wantErr := csv.NewReader(strings.NewReader(text)).ReadAll()
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)), "bytes": iotest.OneByteReader(strings.NewReader(text)),
		"with the end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		got, err := readCSV(r)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q in %s: %v; package csv says %v", text, name, err, wantErr)
		}
		if err == nil && !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q in %s is %q; package csv makes it %q", text, name, got, want)
		}
	}
}

var csvTexts = []string{
	"", "\n", "\n\n", "a", "a\n", "a,b\n1,2\n", "a,b\n\n1,2", ",", ",\n,", "\"\"", "\"\"\n", "\"a\"", "\"a\",\"b\"\n\"c\"\"d\",\"e,f\"\n", "\"a\nb\",c\n",
	"a,b\r\n1,2\r\n", "a\r", "a\r\n", "\"a\"\r\n", "\"a\"\r", "\r\n", "a\rb,c\n",
	"a\"b", "a,b\"\n", "\"a\"b", "\"a\" ,b", "\"a", "\"a\"\"", "\"a\n", "a,b\n1\n", "a\n1,2\n", "é,\xff\n", "\"\"\"\"", "\"a\"\"b\"\n", "a,\"b\",c\n",
}

func TestCSVAgreesWithPackageCSV(t *testing.T) {
	t.Parallel()
	for _, text := range csvTexts {
		checkCSV(t, text)
	}
	// Records on both sides of the edge of the buffer, and longer than it.
	for _, size := range []int{1, csvRead - 5, csvRead, csvRead + 1, 3 * csvRead} {
		long := strings.Repeat("x", size)
		checkCSV(t, "a,b\n"+long+",2\n\""+long+"\"\"\n\",\"4\"\n5,6\n")
	}
}

func TestCSVKeepsReturnsWithinQuotes(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"\n", "\r\n"} {
		got, err := readCSV(iotest.OneByteReader(strings.NewReader("\"a\r\nb\r\",c" + ends + "\"\r\",d" + ends)))
		want := [][]string{{"a\r\nb\r", "c"}, {"\r", "d"}}
		if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestCSVOfATornFileEndsBeforeTheTornRecord(t *testing.T) {
	t.Parallel()
	torn := errors.New("torn")
	got, err := readCSV(io.MultiReader(strings.NewReader("a,b\n1,2\n3,4"), iotest.ErrReader(torn)))
	if want := [][]string{{"a", "b"}, {"1", "2"}}; !errors.Is(err, torn) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCSVRecordsAreBounded(t *testing.T) {
	t.Parallel()
	endless := io.MultiReader(strings.NewReader("a\n\""), zeros{})
	if _, err := readCSV(endless); !errors.Is(err, errTooLong) {
		t.Errorf("got %v", err)
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{'0'}, len(p))), nil }

func FuzzCSVReader(f *testing.F) {
	for _, text := range csvTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.Contains(text, "\r") {
			checkCSV(t, text)
			return
		}
		_, _ = readCSV(strings.NewReader(text)) // does not panic
	})
}
