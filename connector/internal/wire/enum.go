package wire

// enum pairs the words of the vocabulary with the numbers of the contract.
type enum[W ~string, N ~int32] struct {
	number map[W]N
	word   map[N]W
}

func newEnum[W ~string, N ~int32](pairs map[W]N) enum[W, N] {
	e := enum[W, N]{number: pairs, word: make(map[N]W, len(pairs))}
	for w, n := range pairs {
		e.word[n] = w
	}
	return e
}

// out returns the number of a word; the word is required.
func (e enum[W, N]) out(field string, w W) (N, error) {
	if n, ok := e.number[w]; ok {
		return n, nil
	}
	if w == "" {
		return 0, broken(field, "is required")
	}
	return 0, broken(field, "is not a value of the contract")
}

// in returns the word of a number; the number is required.
func (e enum[W, N]) in(field string, n N) (W, error) {
	if w, ok := e.word[n]; ok {
		return w, nil
	}
	if n == 0 {
		return "", broken(field, "is required")
	}
	return "", broken(field, "has the number %d, which this version of the contract does not know", n)
}

// outOr is out with a number for the empty word.
func (e enum[W, N]) outOr(field string, w W, empty N) (N, error) {
	if w == "" {
		return empty, nil
	}
	return e.out(field, w)
}

// inOr is in with a word for the number 0.
func (e enum[W, N]) inOr(field string, n N, unspecified W) (W, error) {
	if n == 0 {
		return unspecified, nil
	}
	return e.in(field, n)
}
