package runner

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// streamBook is what the host knows of one stream of an inbound run.
type streamBook struct {
	spec   StreamSpec
	target StreamTarget
	mode   connector.ReadMode

	mu     sync.Mutex
	writer StreamWriter // nil until the first rows
	// trailing counts rows and tombstones since the last checkpoint.
	trailing int64
	// before are the counts of earlier writers in this run.
	before StreamCounts
	result StreamResult
}

// newStreamBook decides how a stream is read and kept.
func newStreamBook(sync Sync, spec StreamSpec, stream connector.Stream) (*streamBook, error) {
	mode, err := readMode(spec, stream)
	if err != nil {
		return nil, err
	}
	storage := spec.Storage
	if storage == "" {
		storage = StorageAppend
		if len(stream.Key) > 0 {
			storage = StorageMerge
		}
	}
	if storage == StorageMerge && len(stream.Key) == 0 {
		return nil, streamError(spec.Name, "it has no key to merge by; keep it with storage append")
	}
	table := spec.Table
	if table == "" {
		table = defaultTable(sync.Name, spec.Name)
	}
	return &streamBook{
		spec: spec, mode: mode,
		target: StreamTarget{
			SyncID: sync.Name, Stream: spec.Name, Table: table, Key: stream.Key, Storage: storage,
			FullRefresh: mode == connector.ReadFullRefresh,
		},
		result: StreamResult{Stream: spec.Name, Table: table},
	}, nil
}

// readMode returns the mode asked for, by default incremental where there is one.
func readMode(spec StreamSpec, stream connector.Stream) (connector.ReadMode, error) {
	if spec.Mode == "" {
		if slices.Contains(stream.Modes, connector.ReadIncremental) {
			return connector.ReadIncremental, nil
		}
		return connector.ReadFullRefresh, nil
	}
	if !slices.Contains(stream.Modes, spec.Mode) {
		var modes []string
		for _, m := range stream.Modes {
			modes = append(modes, string(m))
		}
		return "", streamError(spec.Name, fmt.Sprintf("it cannot be read as %s; it can as %s", spec.Mode, strings.Join(modes, ", ")))
	}
	return spec.Mode, nil
}

func streamError(name, what string) error {
	return &connector.Error{
		Class: connector.ClassConfig, Code: "BAD_STREAM", Message: fmt.Sprintf("stream %q cannot be synced like this", name),
		Fields: []connector.FieldViolation{{Field: "streams." + name, Description: what}},
	}
}

// over reports whether nothing is left to do for the stream in this run.
func (b *streamBook) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.result.Done || b.result.Error != nil
}

// standing returns how the stream stands.
func (b *streamBook) standing() StreamResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.result
}

// begin readies the book for a conversation, and returns what the connector is
// asked for. Only an interrupted full refresh goes on from a state.
func (b *streamBook) begin(state string, resumed bool, now time.Time) connector.StreamSelection {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = b.result.Counts
	b.trailing = 0
	b.target.RetrievedAt = now
	if b.target.FullRefresh {
		b.target.Resumed = resumed && state != ""
		if !b.target.Resumed {
			state = ""
		}
	}
	return connector.StreamSelection{Name: b.spec.Name, Mode: b.mode, State: state, Fields: b.spec.Fields}
}

// committed enters the counts of a commit. The writer counts from its own start.
func (b *streamBook) committed(counts StreamCounts) {
	b.trailing = 0
	b.result.Counts = StreamCounts{
		Rows:     b.before.Rows + counts.Rows,
		Deleted:  b.before.Deleted + counts.Deleted,
		Unparsed: b.before.Unparsed + counts.Unparsed,
	}
}

// drop closes the writer, and with it what was not committed.
func (b *streamBook) drop() error {
	if b.writer == nil {
		return nil
	}
	writer := b.writer
	b.writer = nil
	if err := writer.Close(); err != nil {
		return fmt.Errorf("closing table %s: %w", b.target.Table, err)
	}
	return nil
}
