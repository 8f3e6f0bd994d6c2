package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"quietpost/store/sqlite"
)

type versionCmd struct{}

// Example is printed with the help.
func (*versionCmd) Example() string { return "quietpost version --json" }

// Run prints what this binary is made of.
func (*versionCmd) Run(e *env) error {
	lib := sqlite.Version()
	if e.json {
		return json.NewEncoder(e.stdout).Encode([]map[string]string{{"version": version, "commit": commit, "sqlite": lib, "go": runtime.Version()}})
	}
	fmt.Fprintf(e.stdout, "quietpost %s", version)
	if commit != "" {
		fmt.Fprintf(e.stdout, " (%s)", commit)
	}
	fmt.Fprintf(e.stdout, ", SQLite %s, %s\n", lib, runtime.Version())
	return nil
}
