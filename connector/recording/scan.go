package recording

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Scan looks for secrets in the files of a recording, written in any of the ways
// that are known, within texts of JSON and within base64 too. It returns where it
// found which, by their position in the list, and never the secret itself.
// Secrets of fewer than six bytes are found only as whole values.
func Scan(folder string, secrets []string) ([]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var found []string
	forms := make([][]string, len(secrets))
	for i, secret := range secrets {
		forms[i] = encodings(secret)
	}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return nil, err
		}
		texts := append([]string{string(text)}, jsonTexts(text)...)
		for i, secret := range secrets {
			if harmless(secret) {
				continue
			}
			if slices.ContainsFunc(texts, func(t string) bool { return holds(t, secret, forms[i]) }) {
				found = append(found, fmt.Sprintf("%s holds secret %d", f.Name(), i+1))
			}
		}
	}
	return found, nil
}

func holds(text, secret string, forms []string) bool {
	if len(secret) < shortest {
		return text == secret
	}
	return slices.ContainsFunc(forms, func(e string) bool { return strings.Contains(text, e) })
}

// jsonTexts lists the texts in a sequence of JSON values as they are meant, and
// what is in those that are base64.
func jsonTexts(text []byte) []string {
	var all []string
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err != nil {
			return all
		}
		s, ok := token.(string)
		if !ok {
			continue
		}
		all = append(all, s)
		if inner, err := base64.StdEncoding.DecodeString(s); err == nil {
			all = append(all, string(inner))
		}
	}
}
