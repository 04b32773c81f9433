package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Prefix begins the file name of every connector that is found by name.
const Prefix = "sluice-connector-"

// Finder looks for connector programs.
type Finder struct {
	// WorkDir is where relative paths start from.
	WorkDir string
	// Beside is the folder of the host's own program; empty for none.
	Beside string
	// Path is a list of folders in the form of the PATH variable.
	Path string
}

// Find returns the absolute path of a connector. A name with a path separator in
// it is a path; any other stands for the program sluice-connector-NAME, in the
// folder beside or in one of the path. The error lists where it looked.
func (f Finder) Find(name string) (string, error) {
	if name == "" {
		return "", errors.New("name a connector, or give the path of its program")
	}
	if strings.ContainsRune(name, filepath.Separator) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(f.WorkDir, name)
		}
		return name, runnable(name)
	}
	var looked []string
	for _, folder := range append([]string{f.Beside}, filepath.SplitList(f.Path)...) {
		if folder == "" {
			continue
		}
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(f.WorkDir, folder)
		}
		path := filepath.Join(folder, Prefix+strings.TrimPrefix(name, Prefix))
		if runnable(path) == nil {
			return path, nil
		}
		looked = append(looked, folder)
	}
	return "", fmt.Errorf("there is no program %s in %s; give the path of the connector's program instead, such as ./%s",
		Prefix+strings.TrimPrefix(name, Prefix), strings.Join(looked, ", "), name)
}

// runnable says why a path is no program.
func runnable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no program at %s", path)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder, not a program", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable; run: chmod +x %s", path, path)
	}
	return nil
}

// Checksum returns the SHA-256 of a program's content in lower-case hex.
func Checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
