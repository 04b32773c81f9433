package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keySize is the size of an AES-256 key in bytes.
const keySize = 32

// ParseKey reads a key from text: 32 bytes as 64 hex digits or as base64, as
// "openssl rand -hex 32" or "openssl rand -base64 32" print them. Space around
// it is ignored. The error never holds the text.
func ParseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	key, err := hex.DecodeString(text)
	if err != nil {
		key, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(key) != keySize {
		return nil, errors.New("the key is not 32 bytes in hex or base64; make one with: openssl rand -hex 32")
	}
	return key, nil
}

// unlock finds the key and makes sure that it is the one the store was made with.
func (s *Store) unlock(ctx context.Context, config Config) error {
	known, err := s.keyCheck(ctx)
	if err != nil {
		return err
	}
	key := config.Key
	if key == nil {
		file := config.KeyFile
		if file == "" {
			file = filepath.Join(filepath.Dir(config.Path), "sluice.key")
		}
		if key, err = keyFromFile(file, known == nil); err != nil {
			return err
		}
	}
	if s.sealer, err = newSealer(key); err != nil {
		return err
	}
	return s.checkKey(ctx)
}

// checkKey opens the value sealed when the store was made, or seals it now.
func (s *Store) checkKey(ctx context.Context) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'key_check'").Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			sealed = s.sealer.seal("", "key_check", nil)
			_, err = tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('key_check', ?)", sealed)
			return err
		}
		if err != nil {
			return err
		}
		if _, err := s.sealer.open("", "key_check", sealed); err != nil {
			return errors.New("the key is not the one its secrets were sealed with; give the right key (SLUICE_KEY or sluice.key), or start with another state folder")
		}
		return nil
	})
}

func (s *Store) keyCheck(ctx context.Context) ([]byte, error) {
	var sealed []byte
	err := s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'key_check'").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

// keyFromFile reads the key file. A missing one is made, but only for a store
// that has no key yet: a new key cannot open what an old one sealed.
func keyFromFile(path string, fresh bool) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return nil, fmt.Errorf("the key file %s is gone, so the secrets cannot be opened; restore it, or give the key as SLUICE_KEY", path)
		}
		if err := makeKeyFile(path); err != nil {
			return nil, fmt.Errorf("making the key file: %w", err)
		}
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key file %s can be read by others; run: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	key, err := ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// makeKeyFile writes a new key in full under another name and then gives it its
// name, unless another process was faster: nobody ever reads half a key.
func makeKeyFile(path string) error {
	key := make([]byte, keySize)
	rand.Read(key)                                                  // never fails
	file, err := os.CreateTemp(filepath.Dir(path), ".sluice.key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
