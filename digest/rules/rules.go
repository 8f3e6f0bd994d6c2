// Package rules is the operator's expression language, for `rules:` and `map:`. It is github.com/expr-lang/expr
// (https://expr-lang.org/docs/language-definition) with a few things made kinder and everything bounded:
//
//   - what is missing is nil, and nil adds nothing: payload.a.b is nil where there is no a, "x" + nil is "x";
//   - only functions that cannot run away are there (see Functions), and loops have a budget of steps;
//   - strings and results are cut off at MaxString.
//
// It knows no store, no clock and no network. An expression that does not compile is told with line and column.
package rules

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Bounds of one run.
const (
	MaxSteps  = 50_000   // bodies of filter, map, any, … that are evaluated
	MaxString = 64 << 10 // bytes of a string that an expression makes or sees
	MaxSource = 4 << 10  // bytes of an expression
)

// An Error is an expression's fault. Line and Column count from 1 inside the expression; 0 at run time if unknown.
type Error struct {
	Line, Column int
	Text         string
}

func (e *Error) Error() string { return e.Text }

// ErrBudget is the fault of an expression that takes too many steps or makes too much.
var ErrBudget = errors.New("the expression takes too long on this input")

// A Program is a compiled expression, safe for many goroutines.
type Program struct {
	source string
	code   *vm.Program
}

// String is the expression as it was written.
func (p *Program) String() string { return p.source }

// Compile compiles an expression over the names given; their values may have any type. want is the kind of its result:
// reflect.Bool, or reflect.Invalid for any. The error is an *Error.
func Compile(source string, names []string, want reflect.Kind) (*Program, error) {
	if len(source) > MaxSource {
		return nil, &Error{1, 1, fmt.Sprintf("longer than %d bytes", MaxSource)}
	}
	env := types.Map{stepName: types.TypeOf((func(any) (any, error))(nil))}
	for _, n := range names {
		env[n] = types.Any
	}
	k := &kinder{}
	opts := []expr.Option{expr.Env(env), expr.DisableAllBuiltins(), expr.MaxNodes(1000), expr.Patch(k)}
	for _, b := range builtins {
		opts = append(opts, expr.EnableBuiltin(b))
	}
	for name, f := range functions {
		opts = append(opts, expr.Function(name, f.run, f.types...))
	}
	if want == reflect.Bool {
		opts = append(opts, expr.AsBool())
	}
	code, err := compile(source, opts)
	if err != nil {
		var fe *file.Error
		if errors.As(err, &fe) {
			return nil, &Error{max(fe.Line, 1), fe.Column + 1, fe.Message}
		}
		return nil, &Error{1, 1, err.Error()}
	}
	if k.reduce {
		return nil, &Error{1, 1, "reduce is not there: what it makes has no bound"}
	}
	return &Program{source: source, code: code}, nil
}

// compile guards against a panic of the compiler: what an operator writes must not take the service down.
func compile(source string, opts []expr.Option) (code *vm.Program, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("this expression is too much for the compiler: %v", p)
		}
	}()
	return expr.Compile(source, opts...)
}

// Run evaluates the program over values of the names it was compiled with. The error is ErrBudget, or tells what went
// wrong in the expression's own terms.
func (p *Program) Run(values map[string]any) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	steps, made := 0, 0
	env := map[string]any{stepName: func(v any) (any, error) {
		if s, ok := v.(string); ok {
			made += len(s)
		}
		if steps++; steps > MaxSteps || made > 16*MaxString {
			return nil, ErrBudget
		}
		return v, nil
	}}
	for k, v := range values {
		env[k] = v
	}
	machine := vm.VM{MemoryBudget: 1e6}
	out, err = machine.Run(p.code, env)
	if err != nil {
		var fe *file.Error
		if errors.Is(err, ErrBudget) {
			return nil, ErrBudget
		}
		if errors.As(err, &fe) {
			return nil, &Error{max(fe.Line, 1), fe.Column + 1, fe.Message}
		}
		return nil, err
	}
	return out, nil
}

// kinder rewrites an expression: what is missing is nil, '+' takes nil, and each body of a loop is counted.
type kinder struct{ reduce bool }

// Visit is ast.Visitor's.
func (k *kinder) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		if !n.Method {
			call(node, getName, n.Node, n.Property)
		}
	case *ast.BinaryNode:
		if n.Operator == "+" {
			call(node, addName, n.Left, n.Right)
		}
	case *ast.BuiltinNode: // expr's parser knows this one whatever is disabled
		k.reduce = k.reduce || n.Name == "reduce"
	case *ast.PredicateNode:
		body := n.Node
		call(&body, stepName, n.Node)
		n.Node = body
	}
}

func call(node *ast.Node, name string, args ...ast.Node) {
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args})
}
