package crm

import (
	"bytes"
	"io"
	"strings"
)

// heldReturn stands for a carriage return inside quotes while package csv reads: that package drops the ones before line
// feeds, and with them what somebody typed. The byte occurs in no UTF-8 text.
const heldReturn = 0xFF

// returnKeeper replaces carriage returns inside quotes by [heldReturn].
type returnKeeper struct {
	r      io.Reader
	quoted bool // the next byte is inside quotes; a doubled quote changes that twice
	held   bool // something was replaced so far
}

func (k *returnKeeper) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		end := bytes.IndexByte(rest, '"')
		part := rest
		if end >= 0 {
			part = rest[:end]
		}
		if k.quoted {
			k.hold(part)
		}
		if end < 0 {
			break
		}
		k.quoted, rest = !k.quoted, rest[end+1:]
	}
	return n, err
}

func (k *returnKeeper) hold(part []byte) {
	for at := bytes.IndexByte(part, '\r'); at >= 0; at = bytes.IndexByte(part, '\r') {
		part[at], k.held = heldReturn, true
		part = part[at+1:]
	}
}

// restore puts the carriage returns of a row back.
func (k *returnKeeper) restore(row []string) {
	if !k.held {
		return
	}
	for i, cell := range row {
		if strings.IndexByte(cell, heldReturn) >= 0 {
			row[i] = strings.ReplaceAll(cell, string([]byte{heldReturn}), "\r")
		}
	}
}
