package storetest

import (
	"testing"

	"quietpost/digest"
)

func TestMemory(t *testing.T) {
	Run(t, func(t *testing.T) digest.Store { return NewMemory() })
}
