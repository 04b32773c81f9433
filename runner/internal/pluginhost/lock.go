package pluginhost

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/goccy/go-yaml"
)

// LockName is the usual name of a project's lock file.
const LockName = "connectors.lock"

// lockVersion is the version of the file's format.
const lockVersion = 1

const lockHead = `# The connectors of this project, pinned by checksum. Written by
# "sluice connectors install"; keep it in git. A program with another checksum is
# neither installed nor launched.
`

// Lock is a lock file: which programs a project's connectors are.
type Lock struct {
	Version int `yaml:"version"`
	// Connectors are by the manifest's id.
	Connectors map[string]LockedConnector `yaml:"connectors"`
}

// LockedConnector is one connector, pinned.
type LockedConnector struct {
	// Version is the manifest's.
	Version string `yaml:"version"`
	// Programs are by platform, such as "linux/amd64".
	Programs map[string]LockedProgram `yaml:"programs"`
}

// LockedProgram is the program of one platform.
type LockedProgram struct {
	// Source is where it comes from; a relative path starts from the lock file.
	Source string `yaml:"source"`
	SHA256 string `yaml:"sha256"`
	Size   int64  `yaml:"size"`
}

// ReadLock reads a lock file; one that is not there pins nothing.
func ReadLock(path string) (*Lock, error) {
	lock := &Lock{Version: lockVersion, Connectors: map[string]LockedConnector{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lock, nil
	}
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("\n<<<<<<< ")) {
		return nil, fmt.Errorf("%s has a merge conflict: resolve it, one side for each connector", path)
	}
	if err := yaml.UnmarshalWithOptions(text, lock, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s is not a lock file: %w", path, err)
	}
	if lock.Connectors == nil {
		lock.Connectors = map[string]LockedConnector{}
	}
	if err := lock.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lock, nil
}

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (l *Lock) check() error {
	if l.Version != lockVersion {
		return fmt.Errorf("it has version %d, this sluice reads version %d: use a newer sluice", l.Version, lockVersion)
	}
	for name, c := range l.Connectors {
		for platform, p := range c.Programs {
			if !hexSum.MatchString(p.SHA256) {
				return fmt.Errorf("the sha256 of %s for %s is not 64 lower-case hex digits", name, platform)
			}
			if p.Source == "" || p.Size <= 0 {
				return fmt.Errorf("%s for %s needs a source and a size", name, platform)
			}
		}
	}
	return nil
}

// Pin pins a connector's program for this platform. Programs of other platforms
// stay if they are of the same version; those dropped are returned.
func (l *Lock) Pin(name, version string, program LockedProgram) (dropped []string) {
	c := l.Connectors[name]
	programs := map[string]LockedProgram{Platform(): program}
	for platform, p := range c.Programs {
		switch {
		case platform == Platform():
		case c.Version == version:
			programs[platform] = p
		default:
			dropped = append(dropped, platform)
		}
	}
	l.Connectors[name] = LockedConnector{Version: version, Programs: programs}
	slices.Sort(dropped)
	return dropped
}

// Program returns what a connector is pinned to on this platform.
func (l *Lock) Program(name string) (LockedProgram, bool) {
	p, ok := l.Connectors[name].Programs[Platform()]
	return p, ok
}

// FromSource returns what a source is pinned to on this platform.
func (l *Lock) FromSource(source string) (LockedProgram, bool) {
	for name := range l.Connectors {
		if p, ok := l.Program(name); ok && p.Source == source {
			return p, true
		}
	}
	return LockedProgram{}, false
}

// UpdateLock reads a lock file, changes what it pins and replaces it. Others that
// update a lock file of the same folder wait meanwhile, so that none undoes what
// another has pinned.
func UpdateLock(path string, change func(*Lock)) error {
	release, err := holdFolder(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	defer release()
	lock, err := ReadLock(path)
	if err != nil {
		return err
	}
	change(lock)
	return lock.write(path)
}

// write replaces a lock file, at once and durably.
func (l *Lock) write(path string) error {
	text, err := yaml.MarshalWithOptions(l, yaml.Indent(2))
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	_, err = file.WriteString(lockHead + string(text))
	err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the other error says more
		return fmt.Errorf("writing the lock file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}
