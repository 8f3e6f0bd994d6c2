// Package test holds the dialogues with the whole house: the real binary as a process of its own, real mail servers
// (test/maillab), real bytes in at its doors and real mails out of a reader's mailbox. Clocks are real here, so that
// deadlines are generous and nothing asks how long a thing took.
package test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// binary is the daemon under test, built once; like the tests themselves with the race detector or without.
var binary string

// together is how many tests run at once: more than there are cores, since nearly all wait for mail servers and disks.
const together = 4

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(max(together, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quietpost-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "quietpost")
	args := []string{"build", "-o", binary}
	if race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "quietpost/cmd/quietpost")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the daemon: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
