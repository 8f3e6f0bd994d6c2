// Package systemd_test asks systemd itself what it thinks of the files in this folder.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exposure is the highest score of `systemd-analyze security`, times ten, that the unit may get: 0 is nothing exposed,
// 100 everything.
const exposure = "15"

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tool runs one of systemd's programs and gives its output and whether it was content.
func tool(t *testing.T, name string, args ...string) (string, bool) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed, test/install.sh installs it: %v", name, err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err == nil
}

// units writes service and socket, changed by the replacer, to a folder, with a program that exists in ExecStart.
func units(t *testing.T, change *strings.Replacer) (service, socket string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"quietpost.service", "quietpost.socket"} {
		text := change.Replace(strings.ReplaceAll(read(t, name), "ExecStart=/usr/bin/quietpost", "ExecStart="+program))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "quietpost.service"), filepath.Join(dir, "quietpost.socket")
}

// verify tells what systemd-analyze finds wrong with the two; it reports some faults and still ends with 0.
func verify(t *testing.T, change *strings.Replacer) (faults string, ok bool) {
	service, socket := units(t, change)
	out, ok := tool(t, "systemd-analyze", "verify", "--man=no", service, socket)
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "quietpost.") {
			faults += line + "\n"
		}
	}
	return faults, ok && faults == ""
}

func TestVerify(t *testing.T) {
	if faults, ok := verify(t, strings.NewReplacer()); !ok {
		t.Errorf("systemd-analyze verify:\n%s", faults)
	}
	// A check that finds nothing must be able to find something.
	for name, change := range map[string]*strings.Replacer{
		"unknown key": strings.NewReplacer("RestartSec=", "RestartSecs="),
		"bad value":   strings.NewReplacer("Type=notify", "Type=notiffy"),
		"no program":  strings.NewReplacer("/program serve", "/nowhere serve"),
		"bad socket":  strings.NewReplacer("ListenStream=", "ListenStream=nowhere:"),
	} {
		if _, ok := verify(t, change); ok {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestSecurity(t *testing.T) {
	score := func(change *strings.Replacer) (string, bool) {
		service, _ := units(t, change)
		return tool(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+exposure, service)
	}
	if out, ok := score(strings.NewReplacer()); !ok {
		t.Errorf("more exposed than %s:\n%s", exposure, out)
	}
	if _, ok := score(strings.NewReplacer("CapabilityBoundingSet=", "#")); ok {
		t.Error("a service with all capabilities passes")
	}
}

// TestPeopleAndFolders lets systemd make the user and the folders in an empty root.
func TestPeopleAndFolders(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: only root can make users and folders of other users")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, step := range [][]string{
		{"systemd-sysusers", "--root=" + root, abs(t, "sysusers.conf")},
		{"systemd-tmpfiles", "--root=" + root, "--create", abs(t, "tmpfiles.conf")},
	} {
		if out, ok := tool(t, step[0], step[1:]...); !ok {
			t.Fatalf("%v:\n%s", step, out)
		}
	}
	passwd := read(t, filepath.Join(root, "etc/passwd"))
	user := regexp.MustCompile(`(?m)^User=(.+)$`).FindStringSubmatch(read(t, "quietpost.service"))
	if user == nil || !strings.Contains(passwd, user[1]+":x:") {
		t.Errorf("the unit's user %v is not made:\n%s", user, passwd)
	}
	for path, mode := range map[string]os.FileMode{"etc/quietpost": 0o750, "etc/quietpost/credentials": 0o700} {
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s: %v, want %v", path, info.Mode().Perm(), mode)
		}
	}
}

func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCredentials: systemd does not start a service whose credential file is missing, unless SetCredential gives a value.
func TestCredentials(t *testing.T) {
	unit := read(t, "quietpost.service")
	loads := regexp.MustCompile(`(?m)^LoadCredential=([a-z]+):/etc/quietpost/credentials/([a-z]+)$`).FindAllStringSubmatch(unit, -1)
	if len(loads) == 0 {
		t.Fatal("no credentials")
	}
	for _, l := range loads {
		if l[1] != l[2] || !strings.Contains(unit, "\nSetCredential="+l[1]+`:\n`+"\n") {
			t.Errorf("%s: file and name differ, or there is no empty value for a missing file", l[0])
		}
	}
}
