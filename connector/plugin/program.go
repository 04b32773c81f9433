package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
)

// program is the file of a connector. Where a checksum pins it, the file is
// opened once: what is executed is the very file that was read, whatever its path
// leads to by then.
type program struct {
	path string
	file *os.File // nil where nothing pins the program
}

// openProgram says what is wrong with a program before it is started. The caller
// closes it.
func openProgram(path, checksum string) (*program, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, launchError("CONNECTOR_NOT_FOUND", "there is no connector program %s: %w", path, err)
	case err != nil:
		return nil, launchError("CONNECTOR_NOT_FOUND", "looking at the connector program %s: %w", path, err)
	case info.IsDir():
		return nil, launchError("CONNECTOR_NOT_FOUND", "%s is a folder, not a connector program", path)
	case info.Mode()&0o111 == 0:
		return nil, launchError("CONNECTOR_NOT_EXECUTABLE", "the connector program %s is not executable, run chmod +x on it: %w", path, fs.ErrPermission)
	case checksum == "":
		return &program{path: path}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, launchError("CONNECTOR_START", "reading the connector program %s: %w", path, err)
	}
	p := &program{path: path, file: file}
	if err := p.verify(checksum); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *program) close() {
	if p.file != nil {
		_ = p.file.Close() // only read
	}
}

// verify compares the SHA-256 of the program.
func (p *program) verify(checksum string) error {
	want, err := hex.DecodeString(checksum)
	if err != nil || len(want) != sha256.Size {
		return launchError("CHECKSUM_MISMATCH", "the checksum for the connector program %s is not a SHA-256 in hex", p.path)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, p.file); err != nil {
		return launchError("CONNECTOR_START", "reading the connector program %s: %w", p.path, err)
	}
	if got := sum.Sum(nil); [sha256.Size]byte(got) != [sha256.Size]byte(want) {
		return launchError("CHECKSUM_MISMATCH", "the connector program %s is not the one that was meant: its checksum differs (SHA-256 %x instead of %x); it was not started", p.path, got, want)
	}
	return nil
}

// executable returns the path by which the program is to be executed: one of the
// open file where there is such a thing, and else its own, if that still leads to
// the same file. A script has no choice but its own path: its interpreter opens
// it, and finds what lies beside it there.
func (p *program) executable() (string, error) {
	if p.file == nil {
		return p.path, nil
	}
	own, err := p.file.Stat()
	if err != nil {
		return "", launchError("CONNECTOR_START", "looking at the connector program %s: %w", p.path, err)
	}
	if path := descriptorPath(p.file); path != "" && !p.isScript() && leadsTo(path, own) {
		return path, nil
	}
	if !leadsTo(p.path, own) {
		return "", launchError("CHECKSUM_MISMATCH", "the connector program %s was replaced while its checksum was compared; it was not started", p.path)
	}
	return p.path, nil
}

func leadsTo(path string, file os.FileInfo) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, file)
}

func (p *program) isScript() bool {
	head := make([]byte, 2)
	n, _ := p.file.ReadAt(head, 0) // a shorter file is no script
	return string(head[:n]) == "#!"
}
