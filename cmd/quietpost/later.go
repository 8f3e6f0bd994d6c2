package main

import "errors"

// laterCmd is a documented command that this version does not act on: refused, so that nobody thinks it was done.
type laterCmd struct {
	Rest []string `arg:"" optional:"" passthrough:""`
}

var errNotYet = usage{errors.New("not yet: this version cannot do that")}

// Run refuses.
func (*laterCmd) Run() error { return errNotYet }
