package duckdb

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	duckdbgo "github.com/duckdb/duckdb-go/v2"
)

// A checkpoint writes what is new about tables into the free places of blocks
// that also hold what is valid, and writes these blocks, of 256 KB each, where
// they lie (MetadataManager::Flush in DuckDB 1.5). The valid places get the bytes
// they have, so that nothing is lost when the process or the machine dies in the
// middle; but the checksum at the beginning of the block is then that of a block
// which was never written as a whole, and DuckDB takes the file for damaged.
//
// The log says when that may be so: it ends with the beginning of a checkpoint.
// Then the checksums of these blocks, and of no others, are made right, and
// DuckDB goes on as it does after a checkpoint that did not come to its end.

// Where things are in a DuckDB file (storage/storage_info.hpp): three headers of
// one page each, then the blocks, each with its checksum in front. The second and
// the third header say how large a block is.
const (
	pageSize      = 4096
	blocksBegin   = 3 * pageSize
	blockSizeAt   = pageSize + 5*8 // after checksum, iteration, and three pointers
	checksumBytes = 8
)

// mend makes the checksums of torn blocks right, where the log says that there
// may be some. What it cannot do is left for opening the file to complain about.
func mend(ctx context.Context, path string) error {
	if !checkpointBegun(path + ".wal") {
		return nil
	}
	blocks, err := metadataBlocks(ctx, path)
	for last := int64(-1); err != nil; {
		// A block that is needed to open the file at all has to be mended first.
		block, torn := tornBlock(path, err)
		if !torn || block == last {
			return nil
		}
		if err := mendBlocks(path, []int64{block}); err != nil {
			return err
		}
		last = block
		blocks, err = metadataBlocks(ctx, path)
	}
	return mendBlocks(path, blocks)
}

// The last entries of a log in which a checkpoint was begun: its mark, and the
// end of a transaction. Each has its length and checksum in front. (WALType in
// common/enums/wal_type.hpp, as written by BinarySerializer.)
var (
	markEntry = []byte{0x64, 0, 99}
	endEntry  = []byte{0x64, 0, 100, 0xff, 0xff}
)

// checkpointBegun reports whether a log ends with the beginning of a checkpoint.
func checkpointBegun(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	tail := make([]byte, min(128, info.Size()))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return false
	}
	rest, ended := bytes.CutSuffix(tail, endEntry)
	if !ended || len(rest) < 16 {
		return false
	}
	rest = rest[:len(rest)-16]
	for n := len(markEntry); n+16 <= len(rest); n++ {
		entry := rest[len(rest)-n:]
		if bytes.HasPrefix(entry, markEntry) && binary.LittleEndian.Uint64(rest[len(rest)-n-16:]) == uint64(n) {
			return true
		}
	}
	return false
}

// metadataBlocks asks DuckDB, which changes nothing meanwhile, for the blocks
// that hold metadata.
func metadataBlocks(ctx context.Context, path string) ([]int64, error) {
	c, err := duckdbgo.NewConnector(path+"?access_mode=READ_ONLY", nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	rows, err := db.QueryContext(ctx, `SELECT block_id FROM pragma_metadata_info()`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var blocks []int64
	for rows.Next() {
		var block int64
		if err := rows.Scan(&block); err != nil {
			return nil, errors.Join(err, rows.Close(), db.Close())
		}
		blocks = append(blocks, block)
	}
	return blocks, errors.Join(rows.Err(), rows.Close(), db.Close())
}

var badChecksum = regexp.MustCompile(`computed checksum \d+ does not match stored checksum \d+ in block at location (\d+)`)

// tornBlock returns the block whose checksum kept metadata from being read.
func tornBlock(path string, err error) (int64, bool) {
	m := badChecksum.FindStringSubmatch(err.Error())
	if m == nil || strings.Contains(err.Error(), "replaying WAL") {
		return 0, false // while the log is replayed, blocks with rows are read
	}
	at, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, false
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	size, err := blockSize(f)
	if err != nil || at < blocksBegin || (at-blocksBegin)%size != 0 {
		return 0, false
	}
	return (at - blocksBegin) / size, true
}

// blockSize reads how large the blocks of a file are.
func blockSize(f io.ReaderAt) (int64, error) {
	var b [8]byte
	if _, err := f.ReadAt(b[:], blockSizeAt); err != nil {
		return 0, err
	}
	// Storage::VerifyBlockAllocSize: a power of two from 16 KB to 256 KB.
	size := int64(binary.LittleEndian.Uint64(b[:]))
	if size < 16<<10 || size > 256<<10 || size&(size-1) != 0 {
		return 0, fmt.Errorf("%d is no size of a block", size)
	}
	return size, nil
}

// mendBlocks writes the checksum of what is there in front of blocks that have
// another one.
func mendBlocks(path string, blocks []int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("mend the warehouse: %w", err)
	}
	err = mendFile(f, blocks)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("mend the warehouse: %w", err)
	}
	return nil
}

func mendFile(f *os.File, blocks []int64) error {
	if err := lockFile(f); err != nil {
		return err
	}
	size, err := blockSize(f)
	if err != nil {
		return err
	}
	content := make([]byte, size)
	for _, block := range blocks {
		at := blocksBegin + block*size
		if _, err := f.ReadAt(content, at); err != nil {
			return err
		}
		sum := checksum(content[checksumBytes:])
		if binary.LittleEndian.Uint64(content) == sum {
			continue
		}
		if _, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, sum), at); err != nil {
			return err
		}
	}
	return nil
}

// checksum is DuckDB's (common/checksum.cpp), for content of whole words.
func checksum(content []byte) uint64 {
	sum := uint64(5381)
	for i := 0; i+8 <= len(content); i += 8 {
		sum ^= binary.LittleEndian.Uint64(content[i:]) * 0xbf58476d1ce4e5b9
	}
	return sum
}
