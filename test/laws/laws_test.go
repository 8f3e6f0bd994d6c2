// Package laws_test holds the walls of the house: which package may import which, who may read the clock, and what
// must stand in no file. It reads the sources itself: `go list` would escape the test cache.
package laws_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "quietpost"
	root   = "../.."
)

// arrows say which rooms of the project a package may import; the longest prefix of its path counts, and what it may
// import includes the packages below. A package that stands under none may import nothing of the project.
var arrows = map[string][]string{
	"digest":             {"digest/schedule"},
	"digest/schedule":    {},
	"digest/rules":       {"digest"},
	"config":             {"digest"},
	"templates":          {"digest"},
	"mailer":             {"digest"},
	"web":                {"digest"},
	"store":              {"digest"},
	"collector/tools":    {"digest"},
	"collector/reader":   {"digest"},
	"collector/webhook":  {"digest", "collector/tools", "collector/reader"},
	"collector/mailbox":  {"digest", "collector/tools", "collector/reader"},
	"cmd/quietpost":      {"cmd", "collector", "config", "digest", "mailer", "store", "templates", "web"},
	"cmd/quietpost/demo": {}, // it speaks to the daemon by HTTP, IMAP and SMTP, as the world does
	"test":               {"test"},
}

// libraries say which ones from outside the domain may import. All but digest may import what they need.
var libraries = map[string][]string{
	"digest":          {"golang.org/x/net/idna"},
	"digest/schedule": {"github.com/robfig/cron/v3"},
	"digest/rules":    {"github.com/expr-lang/expr"},
}

// impure are the packages of the standard library that touch the world; the domain imports none of them.
var impure = []string{"database/sql", "io/fs", "log", "net", "net/http", "net/rpc", "net/smtp", "net/textproto", "os", "os/exec",
	"os/signal", "os/user", "plugin", "runtime/debug", "syscall", "testing"}

// homes of libraries that would otherwise spread.
var homes = map[string]string{
	"github.com/robfig/cron":      "digest/schedule",
	"github.com/expr-lang/expr":   "digest/rules",
	"github.com/mattn/go-sqlite3": "store/sqlite",
	"github.com/pressly/goose":    "store/sqlite",
	"go.yaml.in/yaml":             "config collector/tools", // the configuration, and map files
}

// clock are the functions of package time that read it. Only cmd does; the others are given `now`, or a func.
var clock = []string{"Now", "Since", "Until"}

// machinePath finds a path of somebody's machine. Written so that it does not find itself.
var machinePath = regexp.MustCompile(`(?m)(^|[^\w.~-])/(` + `work|root|Users|home/[a-z]\w*` + `)/[\w.-]`)

func below(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// longest is the longest key of the table that the path is below.
func longest[V any](table map[string]V, path string) (best string) {
	for key := range table {
		if below(path, key) && len(key) > len(best) {
			best = key
		}
	}
	return best
}

func anyBelow(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return below(path, p) })
}

// importFault tells why a package must not import a path; empty if it may.
func importFault(pkg, imported string) string {
	domain := longest(libraries, pkg)
	if inner, ours := strings.CutPrefix(imported, module+"/"); ours {
		if room := longest(arrows, pkg); room == "" {
			return "stands under no room in the table of arrows"
		} else if !anyBelow(inner, arrows[room]) {
			return fmt.Sprintf("an arrow that is not in the table: %s → %s", room, inner)
		}
		return ""
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") { // standard library
		if domain != "" && slices.Contains(impure, imported) {
			return imported + " touches the world; the domain does not"
		}
		return ""
	}
	if domain != "" && !anyBelow(imported, libraries[domain]) {
		return imported + " is not among the libraries of " + domain
	}
	if home := longest(homes, imported); home != "" && !slices.ContainsFunc(strings.Fields(homes[home]), func(dir string) bool { return below(pkg, dir) }) {
		return imported + " is at home in " + homes[home]
	}
	return ""
}

// sourceFaults are a Go file's offences; name is its path in the project, with slashes.
func sourceFaults(t *testing.T, name string, src []byte) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	at := func(n ast.Node, format string, args ...any) {
		faults = append(faults, fset.Position(n.Pos()).String()+": "+fmt.Sprintf(format, args...))
	}
	pkg, isTest := path.Dir(name), strings.HasSuffix(name, "_test.go")
	timeName := ""
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if imported == "time" {
			if timeName = "time"; spec.Name != nil {
				timeName = spec.Name.Name
			}
		}
		if why := importFault(pkg, imported); why != "" && !isTest {
			at(spec, "%s", why)
		}
	}
	mayReadClock := isTest || below(pkg, "cmd") || below(pkg, "test")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				at(n, "func init(): wiring is one straight line in cmd")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && !mayReadClock && timeName != "" && x.Name == timeName && slices.Contains(clock, n.Sel.Name) {
				at(n, "time.%s: the clock is an argument outside cmd", n.Sel.Name)
			}
		}
		return true
	})
	return faults
}

// files calls do with each file of the project.
func files(t *testing.T, do func(name string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if slices.Contains([]string{".git", "bin", "deps", "node_modules"}, d.Name()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(file)
		if err == nil {
			do(name, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestArrows(t *testing.T) {
	n := 0
	files(t, func(name string, data []byte) {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			return
		}
		n++
		for _, fault := range sourceFaults(t, name, data) {
			t.Error(fault)
		}
	})
	if n < 10 {
		t.Fatalf("only %d Go files found below %s", n, root)
	}
}

func TestNoMachinePath(t *testing.T) {
	files(t, func(name string, data []byte) {
		if bytes.IndexByte(data, 0) >= 0 { // not text
			return
		}
		for _, m := range machinePath.FindAllIndex(data, -1) {
			line := 1 + bytes.Count(data[:m[0]+1], []byte("\n"))
			t.Errorf("%s:%d: a path of somebody's machine: %q", name, line, data[m[0]:min(m[1]+20, len(data))])
		}
	})
}

// TestWalls shows that each wall holds.
func TestWalls(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"web/a.go", `import _ "quietpost/store/sqlite"`, "web → store/sqlite"},
		{"web/a_test.go", `import _ "quietpost/store/sqlite"`, ""},
		{"web/a.go", `import _ "quietpost/digest/schedule"`, ""},
		{"collector/webhook/a.go", `import _ "quietpost/collector/tools"`, ""},
		{"collector/tools/a.go", `import _ "quietpost/collector/webhook"`, "collector/tools → collector/webhook"},
		{"cmd/quietpost/a.go", `import _ "quietpost/store/sqlite"`, ""},
		{"cmd/quietpost/demo/a.go", `import _ "quietpost/digest"`, "cmd/quietpost/demo → digest"},
		{"newroom/a.go", `import _ "quietpost/digest"`, "under no room"},
		{"digest/a.go", `import _ "quietpost/digest/schedule"`, ""},
		{"digest/a.go", `import _ "quietpost/config"`, "digest → config"},
		{"digest/a.go", `import _ "net/http"`, "touches the world"},
		{"digest/a.go", `import _ "net/url"`, ""},
		{"digest/a.go", `import _ "github.com/robfig/cron/v3"`, "not among the libraries"},
		{"digest/schedule/a.go", `import _ "github.com/robfig/cron/v3"`, ""},
		{"digest/schedule/a.go", `import _ "quietpost/digest"`, "digest/schedule → digest"},
		{"config/a.go", `import _ "github.com/robfig/cron/v3"`, "at home in digest/schedule"},
		{"store/sqlite/a.go", `import _ "github.com/mattn/go-sqlite3"`, ""},
		{"store/sqlite/a.go", "import \"time\"\nvar t = time.Now()", "time.Now"},
		{"mailer/a.go", "import clock \"time\"\nvar now = clock.Since", "time.Since"},
		{"mailer/a.go", "import \"time\"\nvar d = time.Second", ""},
		{"mailer/a_test.go", "import \"time\"\nvar t = time.Now()", ""},
		{"cmd/quietpost/a.go", "import \"time\"\nvar t = time.Now()", ""},
		{"web/a.go", "func init() {}", "func init()"},
		{"web/a.go", "type T int\nfunc (T) init() {}", ""},
	} {
		got := strings.Join(sourceFaults(t, c.name, []byte("package p\n"+c.src+"\n")), "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: got %q, want %q", c.name, c.src, got, c.want)
		}
	}
	for text, found := range map[string]bool{
		"see /" + "root/x":                       true,
		"(/" + "home/ana/src)":                   true,
		"/" + "work/a":                           true,
		"https://example.com/" + "work/x":        false,
		"/etc/quietpost/ and /var/lib/quietpost": false,
		"ProtectHome hides /home and /root":      false,
	} {
		if machinePath.MatchString(text) != found {
			t.Errorf("%q: found %v", text, !found)
		}
	}
}
