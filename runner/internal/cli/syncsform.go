package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
)

func syncsForm(a *app) *cobra.Command {
	var strategy string
	var answers []string
	var inbound bool
	cmd := &cobra.Command{
		Use: "form [CONNECTION]", Short: "Show the questions of a sync, their options, and the fields that can be mapped",
		Long: `Show the questions of a sync and their options. Options may depend on other
answers: give them with --set, and ask again.`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			given, err := pairs("set", answers)
			if err != nil {
				return err
			}
			direction := connector.DirectionOutbound
			if inbound {
				direction = connector.DirectionInbound
			}
			return a.with(cmd.Context(), nil, func(h *host) error {
				connection, err := whichConnection(cmd.Context(), h, append(args, "")[0])
				if err != nil {
					return err
				}
				shape, err := a.form(cmd.Context(), h, connection, connector.OptionsRequest{Direction: direction, Strategy: strategy, Answers: given})
				if err != nil {
					return err
				}
				return a.result(shape, func() { a.sayForm(shape) })
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&strategy, "strategy", "", "strategy of an outbound sync (default Upsert)")
	f.StringArrayVar(&answers, "set", nil, "answer NAME=VALUE given so far; may be repeated")
	f.BoolVar(&inbound, "inbound", false, "show the form of an inbound sync")
	return cmd
}

// form fetches a form and the options of its fields. Fields whose options cannot
// be listed yet, for want of other answers, are shown without.
func (a *app) form(ctx context.Context, h *host, connection string, request connector.OptionsRequest) (FormShape, error) {
	if request.Strategy == "" && request.Direction == connector.DirectionOutbound {
		request.Strategy = connector.StrategyUpsert.Name
	}
	form, err := h.Form(ctx, connection, request.Direction, request.Strategy, request.Answers)
	if err != nil {
		return FormShape{}, err
	}
	shape := FormShape{Fields: []QuestionShape{}}
	for _, field := range form.Fields {
		if !applies(field, request.Answers) {
			continue
		}
		question := questionShape(field)
		if field.OptionSource != "" {
			request.Source = field.OptionSource
			options, err := allOptions(ctx, h, connection, request)
			if err != nil && connector.ClassOf(err) != connector.ClassConfig {
				return shape, err
			}
			question.Options = shapes(options, optionShape)
		}
		shape.Fields = append(shape.Fields, question)
	}
	if form.Mapper != nil && form.Mapper.Template != nil {
		t := TemplateShape(*form.Mapper.Template)
		shape.Template = &t
	}
	if form.Mapper == nil || form.Mapper.Fields == nil {
		return shape, nil
	}
	request.Source = form.Mapper.Fields.OptionSource
	options, err := allOptions(ctx, h, connection, request)
	if err != nil && connector.ClassOf(err) != connector.ClassConfig {
		return shape, err
	}
	shape.MapperFields = shapes(options, optionShape)
	return shape, nil
}

func (a *app) sayForm(shape FormShape) {
	for _, q := range shape.Fields {
		a.say("%s (%s%s): %s", q.Name, q.Kind, map[bool]string{true: ", required"}[q.Required], oneLine(q.Label))
		if q.Help != "" {
			a.say("    %s", oneLine(q.Help))
		}
		for _, d := range q.Default {
			a.say("    default: %s", d)
		}
		for _, o := range q.Options {
			a.say("    %s", optionText(o))
		}
	}
	if t := shape.Template; t != nil {
		a.say("template: %s", oneLine(t.Label))
		if t.Help != "" {
			a.say("    %s", oneLine(t.Help))
		}
		if t.MaxLength > 0 {
			a.say("    at most %d characters", t.MaxLength)
		}
	}
	if shape.MapperFields != nil {
		a.say("fields to map:")
	}
	for _, o := range shape.MapperFields {
		a.say("    %s", optionText(o))
	}
}

func optionText(o OptionShape) string {
	text := o.Value
	if o.Label != "" && o.Label != o.Value {
		text += fmt.Sprintf(" (%s)", o.Label)
	}
	if o.Type != "" {
		text += " " + o.Type
	}
	if o.Required {
		text += ", required"
	}
	if o.Unique {
		text += ", unique"
	}
	if o.Disabled != "" {
		text += ", cannot be chosen: " + o.Disabled
	}
	return text
}
