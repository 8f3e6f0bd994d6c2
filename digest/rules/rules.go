// Package rules is the operator's expression language, for `rules:` and `map:`. It is github.com/expr-lang/expr
// (https://expr-lang.org/docs/language-definition) with a few things made kinder and everything bounded:
//
//   - what is missing is nil, and nil adds nothing: payload.a.b is nil where there is no a, "x" + nil is "x";
//   - only functions that cannot run away are there (see Functions), and all work is counted against a budget (meter.go);
//   - strings and results are cut off at MaxString.
//
// It knows no store, no clock and no network. An expression that does not compile is told with line and column.
// docs/expressions.md describes the language to operators; a test holds the page to what it says.
package rules

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Bounds of an expression.
const (
	MaxSource  = 4 << 10 // bytes
	maxNodes   = 1000
	maxPattern = 2000 // instructions that a pattern of `matches` compiles to
)

// An Error is an expression's fault. Line and Column count from 1 inside the expression; 0 at run time if unknown.
type Error struct {
	Line, Column int
	Text         string
}

func (e *Error) Error() string { return e.Text }

// A Program is a compiled expression, safe for many goroutines.
type Program struct {
	source   string
	code     *vm.Program
	patterns []pattern
}

// pattern is the right side of a `matches`.
type pattern struct {
	re   *regexp.Regexp
	size int // instructions: what one byte costs at worst
}

// String is the expression as it was written.
func (p *Program) String() string { return p.source }

// Names are what an expression may name: an example of each value, nil where it may be anything.
type Names map[string]any

// Compile compiles an expression over names. want is the kind of its result: reflect.Bool, or reflect.Invalid for any.
// The error is an *Error.
func Compile(source string, names Names, want reflect.Kind) (*Program, error) {
	if len(source) > MaxSource {
		return nil, &Error{1, 1, fmt.Sprintf("longer than %d bytes", MaxSource)}
	}
	env := types.Map{}
	for name, like := range innerTypes {
		env[name] = types.TypeOf(like)
	}
	for name, like := range names {
		env[name] = types.Any
		if like != nil {
			env[name] = types.TypeOf(like)
		}
	}
	_, isField := names["event"].(string) // of an item; a map's own name has no example
	k := &kinder{events: isField}
	// The optimizer is off: it works out at load what the budget is to stop at run time, such as a range of a million.
	opts := []expr.Option{expr.Env(env), expr.DisableAllBuiltins(), expr.MaxNodes(maxNodes), expr.Optimize(false), expr.Patch(k)}
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
	if k.fault != nil {
		return nil, k.fault.in(source)
	}
	if err != nil {
		var fe *file.Error
		if errors.As(err, &fe) {
			return nil, &Error{max(fe.Line, 1), fe.Column + 1, plainWords(fe.Message)}
		}
		return nil, &Error{1, 1, plainWords(err.Error())}
	}
	return &Program{source, code, k.patterns}, nil
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
func (p *Program) Run(values map[string]any) (any, error) {
	return p.run(&meter{limit: MaxWork}, values)
}

// run counts into a meter that several runs may share.
func (p *Program) run(m *meter, values map[string]any) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	m.patterns = p.patterns
	env := values
	if _, ready := values[weighName]; !ready {
		env = m.inner(maps.Clone(values))
	}
	m.machine.MemoryBudget = MaxMade
	out, err = m.machine.Run(p.code, env)
	if err != nil {
		var fe *file.Error
		switch {
		case errors.Is(err, ErrBudget) || strings.Contains(err.Error(), "memory budget exceeded"):
			return nil, ErrBudget
		case errors.As(err, &fe):
			return nil, &Error{max(fe.Line, 1), fe.Column + 1, plainWords(fe.Message)}
		}
		return nil, errors.New(plainWords(err.Error()))
	}
	return out, nil
}

// In evaluates the program over a scope's values; what it takes counts against the scope's budget.
func (p *Program) In(s *Scope) (any, error) { return p.run(s.work, s.values) }

// plainWords says what expr says without Go's names of types and the parser's of tokens, and what would be right where that
// is known.
func plainWords(s string) string {
	switch s {
	case "unexpected token EOF", "unexpected end of expression":
		return "it ends too early: something is missing here"
	case `unexpected token Operator("=")`:
		return "= is not known here; write == to compare"
	case "literal not terminated":
		return "a text has no end; write the second quote"
	case "expected bool, but got string":
		return `it is a text where a condition should be; write for example author == "ana"`
	}
	if token, ok := strings.CutPrefix(s, "unexpected token "); ok {
		if _, what, ok := strings.Cut(strings.TrimSuffix(token, ")"), "("); ok {
			return strings.Trim(what, `"`) + " does not belong here"
		}
	}
	if what, ok := strings.CutPrefix(s, "invalid operation: "); ok {
		op, kinds, _ := strings.Cut(strings.TrimSuffix(what, ")"), " (mismatched types ")
		if one, other, ok := strings.Cut(kinds, " and "); ok {
			s = op + " cannot stand between " + one + " and " + other
		}
	}
	return strings.NewReplacer("map[string]interface {}", "an object", "[]interface {}", "a list", "interface {}", "any", "<nil>", "nil").Replace(s)
}

// nodeFault is what the language does not have although expr does.
type nodeFault struct {
	at   int // character of the source
	text string
}

func (f *nodeFault) in(source string) *Error {
	e := &Error{1, 1, f.text}
	for i, r := range []rune(source) {
		if i == f.at {
			break
		}
		if e.Column++; r == '\n' {
			e.Line, e.Column = e.Line+1, 1
		}
	}
	return e
}

// kinder rewrites an expression: what is missing is nil, '+' takes nil, and whatever costs more than a step is weighed.
type kinder struct {
	events   bool // event is an item's: see isEvent
	patterns []pattern
	fault    *nodeFault
}

// Visit is ast.Visitor's.
func (k *kinder) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.MemberNode:
		if !n.Method {
			member(node, n)
		}
	case *ast.BinaryNode:
		k.binary(node, n)
	case *ast.BuiltinNode:
		if n.Name == "reduce" { // expr's parser knows it whatever is disabled
			k.refuse(n, "reduce is not there: what it makes has no bound")
		}
		for i := range n.Arguments {
			weighed(&n.Arguments[i], weighName)
		}
	case *ast.CallNode:
		for i := range n.Arguments {
			weighed(&n.Arguments[i], weighName)
		}
		n.SetType(nil) // so that the checker looks at the new arguments too; a function of no known type is called by reflection
	case *ast.PredicateNode:
		weighed(&n.Node, stepName)
	}
}

// member makes get of a member, and one follow of several in a row.
func member(node *ast.Node, n *ast.MemberNode) {
	key, ok := n.Property.(*ast.StringNode)
	if from, further := n.Node.(*ast.CallNode); ok && further {
		switch c, _ := from.Callee.(*ast.IdentifierNode); {
		case c == nil:
		case c.Value == getName:
			if first, ok := from.Arguments[1].(*ast.StringNode); ok {
				call(node, followName, from.Arguments[0], &ast.ConstantNode{Value: way{first.Value, key.Value}})
				return
			}
		case c.Value == followName:
			keys := from.Arguments[1].(*ast.ConstantNode).Value.(way)
			call(node, followName, from.Arguments[0], &ast.ConstantNode{Value: append(keys, key.Value)})
			return
		}
	}
	call(node, getName, n.Node, n.Property)
}

func (k *kinder) binary(node *ast.Node, n *ast.BinaryNode) {
	if k.events && eventTest(node, n) {
		return
	}
	switch n.Operator {
	case "+":
		call(node, addName, n.Left, n.Right)
	case "matches":
		text, ok := n.Right.(*ast.StringNode)
		if !ok {
			k.refuse(n.Right, "what stands behind matches must be a text in quotes, so that it can be checked beforehand")
			return
		}
		re, err := readPattern(text.Value)
		if err != nil {
			k.refuse(n.Right, err.Error())
			return
		}
		k.patterns = append(k.patterns, re)
		call(node, matchName, n.Left, &ast.IntegerNode{Value: len(k.patterns) - 1})
	case "contains", "startsWith", "endsWith":
		weighed(&n.Left, weighName)
		weighed(&n.Right, weighName)
	case "==", "!=", "<", "<=", ">", ">=", "in":
		if !literal(n.Left) && !literal(n.Right) { // otherwise the shorter one bounds the work
			weighed(&n.Left, weighName)
			weighed(&n.Right, weighName)
		}
	}
}

// eventTest makes isEvent of a comparison of event with what is written out.
func eventTest(node *ast.Node, n *ast.BinaryNode) bool {
	event, other := n.Left, n.Right
	if id, ok := other.(*ast.IdentifierNode); ok && id.Value == "event" && n.Operator != "in" {
		event, other = other, event
	}
	id, ok := event.(*ast.IdentifierNode)
	_, one := other.(*ast.StringNode)
	_, some := other.(*ast.ArrayNode)
	if !ok || id.Value != "event" {
		return false
	}
	switch {
	case n.Operator == "==" && one, n.Operator == "in" && some && literal(other):
		call(node, eventName, event, other)
	case n.Operator == "!=" && one:
		call(&event, eventName, event, other)
		ast.Patch(node, &ast.UnaryNode{Operator: "not", Node: event})
	default:
		return false
	}
	return true
}

// readPattern compiles a regular expression and tells what it costs.
func readPattern(s string) (pattern, error) {
	re, err := regexp.Compile(s)
	if err != nil {
		return pattern{}, err
	}
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return pattern{}, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return pattern{}, err
	}
	if len(prog.Inst) > maxPattern {
		return pattern{}, errors.New("this pattern is too large; write it with smaller numbers in {}")
	}
	return pattern{re, len(prog.Inst)}, nil
}

func (k *kinder) refuse(at ast.Node, text string) {
	if k.fault == nil {
		k.fault = &nodeFault{at.Location().From, text}
	}
}

// literal tells what is written out in the expression and so never large.
func literal(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	case *ast.ArrayNode:
		for _, e := range n.Nodes {
			if !literal(e) {
				return false
			}
		}
		return true
	}
	return false
}

// weighed puts a scale under a node, unless it is small, or the body of a loop, which has its own.
func weighed(node *ast.Node, scale string) {
	if _, body := (*node).(*ast.PredicateNode); !body && (scale == stepName || !literal(*node)) {
		call(node, scale, *node)
	}
}

func call(node *ast.Node, name string, args ...ast.Node) {
	ast.Patch(node, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args})
}
