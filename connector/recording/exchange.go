package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

// The files of a recording.
const (
	// ConversationFile holds what host and connector said to each other.
	ConversationFile = "conversation.jsonl"
	// ExchangesFile holds what the connector said to the app.
	ExchangesFile = "exchanges.json"
	// exchangesLog is where a connector writes its exchanges, one a line.
	exchangesLog = "exchanges.log"
)

// Exchange is one request to the app and what came of it.
type Exchange struct {
	// Number orders exchanges by when they began.
	Number   int64     `json:"number"`
	Request  Request   `json:"request"`
	Response *Response `json:"response,omitempty"`
	// Failure says why there is no response, or no whole one: "dial",
	// "timeout" or "network".
	Failure string `json:"failure,omitempty"`
}

// Request is a request, without its secrets.
type Request struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header http.Header `json:"header,omitempty"`
	Body   *Body       `json:"body,omitempty"`
}

// Response is an answer, without its secrets.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   *Body       `json:"body,omitempty"`
}

// ReadExchanges reads the exchanges of a finished recording.
func ReadExchanges(folder string) ([]Exchange, error) {
	path := filepath.Join(folder, ExchangesFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Exchange
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s is no list of exchanges: %w", path, err)
	}
	return all, nil
}

// WriteExchanges writes the exchanges of a recording for people to read and for
// git to compare.
func WriteExchanges(folder string, all []Exchange) error {
	var b bytes.Buffer
	b.WriteString("[")
	for i, x := range all {
		line, err := marshal(x)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n")
		if err := json.Indent(&b, line, "", " "); err != nil {
			return err
		}
	}
	b.WriteString("\n]\n")
	return os.WriteFile(filepath.Join(folder, ExchangesFile), b.Bytes(), 0o600)
}

// GatherExchanges reads what connectors wrote into a folder, in the order in
// which it began, numbered anew. There is nothing when no connector recorded.
func GatherExchanges(folder string) ([]Exchange, error) {
	file, err := os.Open(filepath.Join(folder, exchangesLog))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []Exchange
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break // a connector that was killed leaves a torn line
		}
		if err != nil {
			return nil, err
		}
		var x Exchange
		if err := json.Unmarshal(line, &x); err != nil {
			return nil, fmt.Errorf("reading what the connector recorded: %w", err)
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(a, b Exchange) int { return int(a.Number - b.Number) })
	for i := range all {
		all[i].Number = int64(i + 1)
	}
	return all, nil
}
