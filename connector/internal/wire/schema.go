package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var kinds = newEnum(map[connector.Kind]connectorv1.Kind{
	connector.KindString:      connectorv1.Kind_KIND_STRING,
	connector.KindInt64:       connectorv1.Kind_KIND_INT64,
	connector.KindDecimal:     connectorv1.Kind_KIND_DECIMAL,
	connector.KindFloat64:     connectorv1.Kind_KIND_FLOAT64,
	connector.KindBool:        connectorv1.Kind_KIND_BOOL,
	connector.KindDate:        connectorv1.Kind_KIND_DATE,
	connector.KindTime:        connectorv1.Kind_KIND_TIME,
	connector.KindTimestamp:   connectorv1.Kind_KIND_TIMESTAMP,
	connector.KindTimestampTZ: connectorv1.Kind_KIND_TIMESTAMPTZ,
	connector.KindJSON:        connectorv1.Kind_KIND_JSON,
	connector.KindBytes:       connectorv1.Kind_KIND_BYTES,
})

// Schema makes a schema.
func Schema(s *connector.Schema) (*connectorv1.Schema, error) {
	if s == nil {
		return nil, broken("schema", "is required")
	}
	columns, err := list("columns", s.Columns, column)
	return &connectorv1.Schema{Id: s.ID, Columns: columns}, first(err, checkSchema(s))
}

// SchemaFrom reads a schema.
func SchemaFrom(s *connectorv1.Schema) (*connector.Schema, error) {
	columns, err := list("columns", s.GetColumns(), columnFrom)
	if err != nil {
		return nil, err
	}
	out := &connector.Schema{ID: s.GetId(), Columns: columns}
	return out, checkSchema(out)
}

func checkSchema(s *connector.Schema) error {
	return first(required("id", s.ID), unique("columns", "name", s.Columns, func(c connector.Column) string { return c.Name }))
}

func column(c connector.Column) (*connectorv1.Column, error) {
	kind, err := kinds.out("type.kind", c.Type.Kind)
	return &connectorv1.Column{Name: c.Name, Type: &connectorv1.LogicalType{
		Kind: kind, Precision: int32(c.Type.Precision), Scale: int32(c.Type.Scale),
	}}, first(err, checkColumn(c))
}

func columnFrom(c *connectorv1.Column) (connector.Column, error) {
	kind, err := kinds.in("type.kind", c.GetType().GetKind())
	out := connector.Column{Name: c.GetName(), Type: connector.Type{
		Kind: kind, Precision: int(c.GetType().GetPrecision()), Scale: int(c.GetType().GetScale()),
	}}
	return out, first(err, checkColumn(out))
}

func checkColumn(c connector.Column) error {
	t := c.Type
	if t.Precision > 0 && t.Scale > t.Precision {
		return broken("type.scale", "exceeds the precision")
	}
	return first(required("name", c.Name), small("type.precision", t.Precision), small("type.scale", t.Scale))
}

func mapped(f connector.MappedField) (*connectorv1.Column, error) {
	return column(connector.Column(f))
}

func mappedFrom(c *connectorv1.Column) (connector.MappedField, error) {
	col, err := columnFrom(c)
	return connector.MappedField(col), err
}
