package pluginhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Shelf is the folder with the programs that were installed, each in a folder
// named for its SHA-256. A program is on it whole or not at all.
type Shelf struct {
	// Dir is the folder, made when needed.
	Dir string
	// Patience is how long a server may send nothing. Default one minute.
	Patience time.Duration
	// MaxSize bounds a program, in bytes. Default 512 MiB; connectors in Go have
	// some 20 MB.
	MaxSize int64
}

// incoming begins the names of folders of programs that are on their way.
const incoming = ".incoming-"

// abandoned is when a program on its way is taken for one whose process died.
const abandoned = 24 * time.Hour

// Parcel is a program that has arrived and is not on the shelf yet. One of Keep
// and Discard is to be called.
type Parcel struct {
	// Path is where the program is for now; it can be launched there.
	Path string
	// SHA256 is its checksum in lower-case hex.
	SHA256 string
	// Size counts its bytes.
	Size int64
	// Script says that an interpreter runs it.
	Script bool

	shelf Shelf
}

// Take brings a program from its source. Nothing of it is run.
func (s Shelf) Take(ctx context.Context, source Source, progress Progress) (_ *Parcel, err error) {
	s = s.withDefaults()
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder for connectors: %w", err)
	}
	s.sweep()
	from, total, err := source.open(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	folder, err := os.MkdirTemp(s.Dir, incoming)
	if err != nil {
		return nil, fmt.Errorf("making a folder for the connector: %w", err)
	}
	p := &Parcel{Path: filepath.Join(folder, source.name()), shelf: s}
	if err := p.fill(ctx, source, from, total, progress); err != nil {
		p.Discard()
		return nil, err
	}
	return p, nil
}

func (s Shelf) withDefaults() Shelf {
	if s.Patience <= 0 {
		s.Patience = time.Minute
	}
	if s.MaxSize <= 0 {
		s.MaxSize = 512 << 20
	}
	return s
}

// fill writes the program to disk, durably, and sums it up.
func (p *Parcel) fill(ctx context.Context, source Source, from io.Reader, total int64, progress Progress) error {
	file, err := os.OpenFile(p.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum, head := sha256.New(), &headKeeper{}
	to := io.MultiWriter(file, sum, head, &meter{ctx: ctx, total: total, tell: progress})
	p.Size, err = io.Copy(to, io.LimitReader(from, p.shelf.MaxSize+1))
	if err == nil {
		err = errors.Join(file.Chmod(0o500), file.Sync())
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("receiving %s: %w", source, err)
	}
	p.SHA256, p.Script = hex.EncodeToString(sum.Sum(nil)), strings.HasPrefix(string(head.text), "#!")
	switch wrong := notAProgram(head.text); {
	case p.Size > p.shelf.MaxSize:
		return p.shelf.tooLarge(source)
	case total > 0 && p.Size != total:
		return fmt.Errorf("%s has %d bytes, %d arrived; try again", source, total, p.Size)
	case p.Size == 0:
		return fmt.Errorf("%s is empty", source)
	case wrong != "":
		return fmt.Errorf("%s %s", source, wrong)
	}
	return nil
}

// Keep puts the program on the shelf and returns where it is. A copy of it that
// is there already and was altered is replaced.
func (p *Parcel) Keep() (string, error) {
	folder := filepath.Join(p.shelf.Dir, p.SHA256)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(folder, filepath.Base(p.Path))
	if err := os.Rename(p.Path, path); err != nil {
		return "", err
	}
	p.Discard()
	return path, errors.Join(syncFolder(folder), syncFolder(p.shelf.Dir))
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Discard removes what was not kept.
func (p *Parcel) Discard() { _ = os.RemoveAll(filepath.Dir(p.Path)) } // swept the next day otherwise

// sweep removes what processes that died have left behind.
func (s Shelf) sweep() {
	names, _ := filepath.Glob(filepath.Join(s.Dir, incoming+"*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(name)
		}
	}
}

// Holds reports whether a program is on the shelf.
func (s Shelf) Holds(path string) bool {
	return s.Dir != "" && filepath.Dir(filepath.Dir(path)) == filepath.Clean(s.Dir)
}

// Remove takes a program off the shelf. One that is elsewhere stays.
func (s Shelf) Remove(path string) error {
	if !s.Holds(path) || strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".") {
		return nil
	}
	return os.RemoveAll(filepath.Dir(path))
}

// headKeeper keeps the beginning of what is written to it.
type headKeeper struct{ text []byte }

func (h *headKeeper) Write(p []byte) (int, error) {
	if missing := 512 - len(h.text); missing > 0 {
		h.text = append(h.text, p[:min(missing, len(p))]...)
	}
	return len(p), nil
}

// meter tells how much has been written, and stops when nobody waits any more.
type meter struct {
	ctx         context.Context
	done, total int64
	tell        Progress
}

func (m *meter) Write(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, context.Cause(m.ctx)
	}
	m.done += int64(len(p))
	if m.tell != nil {
		m.tell(m.done, m.total)
	}
	return len(p), nil
}
