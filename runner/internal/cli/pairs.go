package cli

import (
	"os"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// pairs reads name=value flags. A name given several times has several values.
func pairs(flag string, given []string) (connector.Answers, error) {
	answers := connector.Answers{}
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usagef("--%s %s is not NAME=VALUE", flag, name)
		}
		answers[name] = append(answers[name], value)
	}
	return answers, nil
}

// secretPairs reads --secret flags: NAME=VALUE, NAME=@FILE, NAME=env:VARIABLE.
// Errors never hold a value.
func (a *app) secretPairs(given []string) (connector.Answers, error) {
	secrets := connector.Answers{}
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usagef("a --secret is not NAME=VALUE, NAME=@FILE or NAME=env:VARIABLE")
		}
		value, err := a.secretValue(name, value)
		if err != nil {
			return nil, err
		}
		secrets[name] = append(secrets[name], value)
	}
	return secrets, nil
}

func (a *app) secretValue(name, value string) (string, error) {
	if file, ok := strings.CutPrefix(value, "@"); ok {
		content, err := os.ReadFile(a.env.path(file))
		if err != nil {
			return "", usagef("--secret %s: %v", name, err)
		}
		return strings.TrimRight(string(content), "\r\n"), nil
	}
	if variable, ok := strings.CutPrefix(value, "env:"); ok {
		content, ok := a.env.lookup(variable)
		if !ok {
			return "", usagef("--secret %s: the environment variable %s is not set", name, variable)
		}
		return content, nil
	}
	return value, nil
}
