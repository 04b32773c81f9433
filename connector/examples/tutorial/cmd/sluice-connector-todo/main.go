// Command sluice-connector-todo is the Todo connector as a program.
package main

import (
	"os"

	"github.com/sluiceio/sluice/connector/examples/tutorial/todo"
	"github.com/sluiceio/sluice/connector/plugin"
)

func main() {
	os.Exit(plugin.Main(todo.New()))
}
