package crm

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestAhead reads through buffers of several sizes what another reader gives in pieces of its own.
func TestAhead(t *testing.T) {
	content := bytes.Repeat([]byte("a row of the file, "), 50_000)
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		r    func() io.Reader
		want error
	}{
		"whole":           {func() io.Reader { return bytes.NewReader(content) }, nil},
		"half reads":      {func() io.Reader { return iotest.HalfReader(bytes.NewReader(content)) }, nil},
		"end with data":   {func() io.Reader { return iotest.DataErrReader(bytes.NewReader(content)) }, nil},
		"broken":          {func() io.Reader { return io.MultiReader(bytes.NewReader(content), iotest.ErrReader(broken)) }, broken},
		"broken at once":  {func() io.Reader { return iotest.ErrReader(broken) }, broken},
		"nothing in it":   {func() io.Reader { return bytes.NewReader(nil) }, nil},
		"ever and ever":   {func() io.Reader { return io.LimitReader(&endless{}, 3*csvRead*aheadBuffers) }, nil},
		"a byte and over": {func() io.Reader { return iotest.OneByteReader(bytes.NewReader(content[:100])) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			want, _ := io.ReadAll(test.r())
			for _, size := range []int{1, 1000, csvRead, 3 * csvRead} {
				a := newAhead(test.r())
				got, err := io.ReadAll(struct{ io.Reader }{&sized{a, size}})
				if !errors.Is(err, test.want) || !bytes.Equal(got, want) {
					t.Errorf("in pieces of %d: %d bytes and %v, want %d and %v", size, len(got), err, len(want), test.want)
				}
				if n, again := a.Read(make([]byte, 1)); n != 0 || again == nil {
					t.Errorf("after its end it gave %d bytes and %v", n, again)
				}
				a.Close()
			}
		})
	}
}

// TestAheadClosed closes with a reader that never ends, at every stage of it.
func TestAheadClosed(t *testing.T) {
	for reads := range 3 * aheadBuffers {
		r := &endless{}
		a := newAhead(r)
		for range reads {
			if _, err := io.ReadFull(a, make([]byte, csvRead)); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
		a.Close()
		at := r.reads // nobody reads any more, or the race detector says so
		if at < reads {
			t.Errorf("%d buffers came from %d reads", reads, at)
		}
		for range 2 * aheadBuffers {
			if _, err := a.Read(make([]byte, csvRead)); err != nil {
				if err != io.ErrClosedPipe {
					t.Errorf("reading what is closed: %v", err)
				}
				break
			}
		}
		if r.reads != at {
			t.Errorf("it was read %d times more after Close", r.reads-at)
		}
	}
}

// endless gives bytes for ever.
type endless struct{ reads int }

func (e *endless) Read(p []byte) (int, error) {
	e.reads++
	return len(p), nil
}

// sized reads with buffers of at most so many bytes.
type sized struct {
	r    io.Reader
	most int
}

func (s *sized) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.most)]) }
