// Package warehousetest is the exam that every [runner.Warehouse] passes. It
// speaks to the warehouse through the port, and through plain SQL where the
// user's own tables are concerned.
package warehousetest
