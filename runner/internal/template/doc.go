// Package template reads and renders the templates of syncs: Liquid, by
// github.com/osteele/liquid, made strict.
//
// A template sees one row. What it names must be columns of the source, which
// the warehouse checks when it plans; so names are found by scanning the
// template ([scan]), branches that are never taken included. Filters, tags and
// braces that nothing closes are checked when the template is read.
//
// A column that is written by itself, {{ amount }}, is written as the warehouse
// has it, to the last digit and zero; null as nothing. In conditions and filters
// numbers are numbers, booleans booleans, and JSON is what it describes.
//
// A template is trusted like a query: whoever writes one may keep the host busy.
// A row is not: what it makes of a template is bounded, and a loop over numbers
// has bounds that are written in the template. What would read files, include
// and render, is not there.
package template
