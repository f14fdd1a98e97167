package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	wrapperPath = "github.com/m2mauth/clerk-m2m/wrapper"
	authnPath   = "github.com/m2mauth/clerk-m2m/authn"
)

// goTool runs the go command in this module and gives what it printed.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// linked counts the packages, other than the standard library's, that some packages bring into a program.
type linked struct {
	name     string
	packages []string
	most     int
}

func (c linked) run(t *testing.T) {
	const nonStandard = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	got := strings.Fields(goTool(t, append([]string{"list", "-deps", "-f", nonStandard}, c.packages...)...))
	t.Logf("%s: %d packages, at most %d:\n  %s", c.name, len(got), c.most, strings.Join(got, "\n  "))
	if len(got) > c.most {
		t.Errorf("%d packages, want at most %d", len(got), c.most)
	}
	for _, p := range c.packages {
		if !slices.Contains(got, p) {
			t.Errorf("%s is not among them: nothing was measured", p)
		}
	}
	for _, unwanted := range []string{"kin-openapi", "yaml", "cobra", "/m2mtest", "/openapi"} {
		if i := slices.IndexFunc(got, func(p string) bool { return strings.Contains(p, unwanted) }); i >= 0 {
			t.Errorf("%s is linked", got[i])
		}
	}
}

func TestPackages(t *testing.T) {
	for _, c := range []linked{
		{"wrapper", []string{wrapperPath}, 12},
		{"wrapper and authn", []string{wrapperPath, authnPath}, 15},
	} {
		t.Run(c.name, c.run)
	}
}

// TestBinary measures what wrapper and authn add to a stripped binary with net/http and encoding/json.
func TestBinary(t *testing.T) {
	const most = 1536 << 10
	size := func(pkg string) int64 {
		t.Helper()
		file := filepath.Join(t.TempDir(), "program")
		goTool(t, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, pkg)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	program, baseline := size("."), size("./baseline")
	added := program - baseline
	t.Logf("stripped: %d KiB, without the library %d KiB: %d KiB added, at most %d", program>>10, baseline>>10, added>>10, most>>10)
	if added > most {
		t.Errorf("%d KiB added, want at most %d", added>>10, most>>10)
	}
	if added <= 0 {
		t.Error("nothing was added: the library is not in the program")
	}
}

// TestModule tells what a user's go.mod gets.
func TestModule(t *testing.T) {
	all := strings.Fields(goTool(t, "list", "-m", "-f", "{{.Path}}", "all"))
	var built []string
	const modules = "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}"
	for _, m := range strings.Fields(goTool(t, "list", "-deps", "-f", modules, ".")) {
		if !slices.Contains(built, m) {
			built = append(built, m)
		}
	}
	slices.Sort(built)
	t.Logf("%d modules in the graph, %d of them built:\n  %s", len(all), len(built), strings.Join(built, "\n  "))
	if !slices.Contains(built, "github.com/m2mauth/clerk-m2m") {
		t.Error("the library is not built")
	}
	if slices.Contains(built, "github.com/getkin/kin-openapi") {
		t.Error("kin-openapi is built")
	}
}
