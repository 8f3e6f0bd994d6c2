// Package storetest holds what every digest.Store is measured by: Run, the contract suite, in which each sentence of
// digest/store.go is a test; Model, which drives random operations against a store and the in-memory one side by side;
// and NewMemory, that small store itself, which unit tests of other packages use too.
package storetest
