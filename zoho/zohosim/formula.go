package zohosim

import (
	"fmt"
	"strconv"
	"strings"
)

// bindFormula resolves the operands of a formula field, which must exist already.
func (t *table) bindFormula(f *Field) error {
	if f.DataType != "formula" {
		return nil
	}
	first, second := f.Expression, ""
	if i := strings.IndexAny(f.Expression, "*+&"); i >= 0 {
		f.operator = f.Expression[i]
		first, second = f.Expression[:i], f.Expression[i+1:]
		if f.right = t.byName[strings.TrimSpace(second)]; f.right == nil {
			return fmt.Errorf("formula %s of %s: field %q is unknown", f.APIName, t.APIName, second)
		}
	}
	if f.left = t.byName[strings.TrimSpace(first)]; f.left == nil {
		return fmt.Errorf("formula %s of %s: field %q is unknown", f.APIName, t.APIName, first)
	}
	return nil
}

// evaluate computes a formula. A missing operand makes it null.
func (f *Field) evaluate(r *record) cell {
	a := f.left.operand(r)
	if f.operator == 0 || !a.set {
		return a
	}
	b := f.right.operand(r)
	if !b.set {
		return cell{}
	}
	if f.operator == '&' {
		return cell{a.text + b.text, true}
	}
	x, err1 := strconv.ParseFloat(a.text, 64)
	y, err2 := strconv.ParseFloat(b.text, 64)
	if err1 != nil || err2 != nil {
		return cell{}
	}
	if f.operator == '*' {
		return cell{strconv.FormatFloat(x*y, 'f', -1, 64), true}
	}
	return cell{strconv.FormatFloat(x+y, 'f', -1, 64), true}
}

func (f *Field) operand(r *record) cell {
	if f.slot < 0 {
		return cell{}
	}
	return at(r.data, f.slot)
}
