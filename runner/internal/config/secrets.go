package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// Secrets reads the secrets of a connection from where the file refers to.
// Lookup finds environment variables. The errors name variables and paths, never
// values.
func (p *Project) Secrets(connection string, lookup func(string) (string, bool)) (connector.Answers, error) {
	secrets := connector.Answers{}
	var failures []error
	for _, field := range slices.Sorted(maps.Keys(p.secrets[connection])) {
		value, err := p.secret(p.secrets[connection][field], lookup)
		if err != nil {
			failures = append(failures, fmt.Errorf("secret %s of connection %s: %w", field, connection, err))
			continue
		}
		secrets[field] = []string{value}
	}
	return secrets, errors.Join(failures...)
}

func (p *Project) secret(reference string, lookup func(string) (string, bool)) (string, error) {
	kind, where, _ := strings.Cut(reference, ":")
	if kind == "env" {
		value, ok := lookup(where)
		if !ok || value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", where)
		}
		return value, nil
	}
	value, err := os.ReadFile(resolve(p.name, where))
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(value), "\r\n"), nil
}
