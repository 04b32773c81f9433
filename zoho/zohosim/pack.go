package zohosim

import (
	"encoding/binary"
	"strings"
)

// cell is one stored value: canonical text, or null.
type cell struct {
	text string
	set  bool
}

// record is one row. Records are immutable once stored: a change stores a new one, so a reader may keep pointers.
type record struct {
	id                int64
	created, modified int64 // Unix seconds; Zoho has second precision
	owner             int16 // indexes into the organisation's users
	createdBy         int16
	modifiedBy        int16
	writes            uint16 // how often it was written, saturating
	deleted           bool
	data              string // packed cells
}

// packer builds packed cells, reusing its buffer.
type packer struct{ buf []byte }

// pack encodes cells as length+1 and bytes each, 0 for null; trailing nulls are dropped.
func (p *packer) pack(cells []cell) string {
	for len(cells) > 0 && !cells[len(cells)-1].set {
		cells = cells[:len(cells)-1]
	}
	p.buf = p.buf[:0]
	for _, c := range cells {
		if !c.set {
			p.buf = append(p.buf, 0)
			continue
		}
		p.buf = binary.AppendUvarint(p.buf, uint64(len(c.text))+1)
		p.buf = append(p.buf, c.text...)
	}
	return string(p.buf)
}

// at finds one cell in packed data.
func at(data string, slot int) cell {
	for len(data) > 0 {
		n, size := uvarint(data)
		data = data[size:]
		if slot == 0 {
			if n == 0 {
				return cell{}
			}
			return cell{data[:n-1], true}
		}
		slot--
		if n > 0 {
			data = data[n-1:]
		}
	}
	return cell{}
}

// unpack spreads packed data over cells, which must be long enough; the rest becomes null.
func unpack(data string, cells []cell) {
	i := 0
	for ; len(data) > 0 && i < len(cells); i++ {
		n, size := uvarint(data)
		data = data[size:]
		cells[i] = cell{}
		if n > 0 {
			cells[i] = cell{data[:n-1], true}
			data = data[n-1:]
		}
	}
	clear(cells[i:])
}

func uvarint(s string) (n, size int) {
	if s[0] < 0x80 {
		return int(s[0]), 1
	}
	var shift uint
	for i := range len(s) {
		b := s[i]
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, i + 1
		}
		shift += 7
	}
	return 0, len(s)
}

// multiSep separates the values of a multi-select cell in storage.
const multiSep = "\x1f"

func splitMulti(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, multiSep)
}

func joinMulti(s string) string { return strings.ReplaceAll(s, multiSep, ";") }

func joinList(list []string) string { return strings.Join(list, ";") }
