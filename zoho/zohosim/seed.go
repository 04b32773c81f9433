package zohosim

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// seedFile is the JSON form of a seed.
type seedFile struct {
	Modules []Module                                `json:"modules"`
	Fields  map[string][]Field                      `json:"fields"`
	Records map[string][]map[string]json.RawMessage `json:"records"`
}

// Seed fills the organisation from JSON or from a txtar archive. The JSON object has the keys modules (list of
// Module), fields (module to list of Field) and records (module to list of objects). The archive's files are applied
// in order: modules.json, fields/{Module}.json, {Module}.json (a list of objects), {Module}.ndjson and {Module}.csv
// (first row API names). Values are as Insert takes them. It stops at the first error, which names the place.
func (s *Sim) Seed(data []byte) error {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return s.seedJSON(trimmed)
	}
	files := parseTxtar(data)
	if len(files) == 0 {
		return errors.New("zohosim seed: neither a JSON object nor a txtar archive")
	}
	for _, f := range files {
		if err := s.seedOne(f); err != nil {
			return fmt.Errorf("zohosim seed: %s: %w", f.name, err)
		}
	}
	return nil
}

func (s *Sim) seedJSON(data []byte) error {
	var f seedFile
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("zohosim seed: %w", err)
	}
	for _, m := range f.Modules {
		if err := s.AddModule(m); err != nil {
			return err
		}
	}
	for module, fields := range f.Fields {
		for _, field := range fields {
			if err := s.AddCustomField(module, field); err != nil {
				return err
			}
		}
	}
	for module, rows := range f.Records {
		for i, row := range rows {
			if err := s.seedRow(module, row); err != nil {
				return fmt.Errorf("record %d: %w", i, err)
			}
		}
	}
	return nil
}

func (s *Sim) seedRow(module string, row map[string]json.RawMessage) error {
	values := make(map[string]string, len(row))
	for k, v := range row {
		values[k] = textOf(v)
	}
	_, err := s.Insert(module, values)
	return err
}

type txtarFile struct {
	name string
	data []byte
}

// parseTxtar reads the simple archive format: lines "-- name --" begin a file; text before the first is comment.
func parseTxtar(data []byte) []txtarFile {
	var files []txtarFile
	for line := range bytes.Lines(data) {
		trimmed := strings.TrimSpace(string(line))
		if name, ok := strings.CutPrefix(trimmed, "-- "); ok && strings.HasSuffix(name, " --") {
			files = append(files, txtarFile{name: strings.TrimSpace(strings.TrimSuffix(name, " --"))})
		} else if n := len(files); n > 0 {
			files[n-1].data = append(files[n-1].data, line...)
		}
	}
	return files
}

func (s *Sim) seedOne(f txtarFile) error {
	ext := path.Ext(f.name)
	module := strings.TrimSuffix(path.Base(f.name), ext)
	switch {
	case f.name == "modules.json":
		var list []Module
		if err := json.Unmarshal(f.data, &list); err != nil {
			return err
		}
		for _, m := range list {
			if err := s.AddModule(m); err != nil {
				return err
			}
		}
		return nil
	case path.Dir(f.name) == "fields":
		var list []Field
		if err := json.Unmarshal(f.data, &list); err != nil {
			return err
		}
		for _, field := range list {
			if err := s.AddCustomField(module, field); err != nil {
				return err
			}
		}
		return nil
	case ext == ".ndjson":
		_, err := s.LoadNDJSON(module, bytes.NewReader(f.data))
		return err
	case ext == ".csv":
		return s.seedCSV(module, f.data)
	case ext == ".json":
		return s.seedJSON(fmt.Appendf(nil, `{"records":{%q:%s}}`, module, f.data))
	}
	return errors.New("unknown kind of file: use modules.json, fields/Module.json, Module.json, Module.ndjson or Module.csv")
}

func (s *Sim) seedCSV(module string, data []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(rows) == 0 {
		return err
	}
	for _, row := range rows[1:] {
		values := make(map[string]string, len(row))
		for i, v := range row {
			values[rows[0][i]] = v
		}
		if _, err := s.Insert(module, values); err != nil {
			return err
		}
	}
	return nil
}

// LoadNDJSON inserts one record per line of JSON and tells how many went in before an error.
func (s *Sim) LoadNDJSON(module string, r io.Reader) (int, error) {
	n := 0
	d := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	for {
		var row map[string]json.RawMessage
		switch err := d.Decode(&row); {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, fmt.Errorf("record %d: %w", n+1, err)
		}
		if err := s.seedRow(module, row); err != nil {
			return n, fmt.Errorf("record %d: %w", n+1, err)
		}
		n++
	}
}
