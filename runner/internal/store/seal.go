package store

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

// sealVersion is the first byte of a sealed value: AES-256-GCM with a random
// nonce of 12 bytes before the ciphertext.
const sealVersion = 1

var errSealed = errors.New("sealed with another key, or changed since")

// sealer seals values so that they open only under the same connection and field.
type sealer struct{ aead cipher.AEAD }

func newSealer(key []byte) (sealer, error) {
	if len(key) != keySize {
		return sealer{}, fmt.Errorf("the key has %d bytes instead of %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead: aead}, err
}

func (s sealer) seal(connection, field string, value []byte) []byte {
	return s.aead.Seal([]byte{sealVersion}, nil, value, place(connection, field))
}

func (s sealer) open(connection, field string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, errSealed
	}
	value, err := s.aead.Open(nil, nil, sealed[1:], place(connection, field))
	if err != nil {
		return nil, errSealed
	}
	return value, nil
}

// place is the associated data. The length of the connection's name keeps
// ("ab", "c") and ("a", "bc") apart.
func place(connection, field string) []byte {
	data := binary.BigEndian.AppendUint32([]byte("sluice secret 1\x00"), uint32(len(connection)))
	return append(append(data, connection...), field...)
}
