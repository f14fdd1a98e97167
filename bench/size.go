package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// linked is what a user's program grows by when it imports a library.
type linked struct {
	Name     string
	KiB      int64 // over a program with net/http and encoding/json
	Packages int   // that are not the standard library's
}

const sizeBase = `package main

import (
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	resp, err := http.Get(os.Args[1])
	if err != nil { panic(err) }
	var v map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&v)
	_ = http.ListenAndServe("127.0.0.1:0", nil)
	use()
}
`

// sizes builds small programs, one for each library, stripped, and compares them with one that has none.
func sizes(ctx context.Context) ([]linked, error) {
	subjects := []struct{ name, imports, use string }{
		{"net/http and encoding/json", ``, ``},
		{
			"ours: wrapper + authn", `"github.com/m2mauth/clerk-m2m/wrapper"; "github.com/m2mauth/clerk-m2m/authn"`,
			`c, _ := wrapper.New(); a, _ := authn.New(c); http.Handle("/", a.Require(authn.M2MToken)(nil)); _ = c.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{}).Transport(nil)`,
		},
		{
			"ours: wrapper", `"github.com/m2mauth/clerk-m2m/wrapper"`,
			`c, _ := wrapper.New(); _ = c.M2MTokens.TokenSource(wrapper.CreateM2MTokenParams{}).Transport(nil)`,
		},
		{"golang-jwt v5", `"github.com/golang-jwt/jwt/v5"`, `_, _ = jwt.Parse(os.Args[0], func(*jwt.Token) (any, error) { return nil, nil })`},
		{"go-jose v4", `jwt "github.com/go-jose/go-jose/v4/jwt"`, `t, _ := jwt.ParseSigned(os.Args[0], nil); _ = t.Claims(nil, nil)`},
		{"jwx v3", `"github.com/lestrrat-go/jwx/v3/jwt"`, `_, _ = jwt.Parse([]byte(os.Args[0]))`},
		{
			"clerk-sdk-go v2.7.0", `clerkhttp "github.com/clerk/clerk-sdk-go/v2/http"; m2m "github.com/clerk/clerk-sdk-go/v2/m2m_token"; "context"`,
			`http.Handle("/", clerkhttp.RequireHeaderAuthorization()(nil)); _, _ = m2m.Create(context.Background(), &m2m.CreateParams{})`,
		},
	}
	// Inside this module, so that its go.mod names the versions.
	dir, err := os.MkdirTemp(".", "size-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var out []linked
	var base int64
	for i, s := range subjects {
		pkg := filepath.Join(dir, fmt.Sprint("p", i))
		if err := os.Mkdir(pkg, 0o700); err != nil {
			return nil, err
		}
		lib := "package main\n\nimport (\n\t" + strings.ReplaceAll(s.imports, "; ", "\n\t") + "\n" + stdFor(s.use) + ")\n\nfunc use() { " + s.use + " }\n"
		for name, src := range map[string]string{"main.go": sizeBase, "use.go": lib} {
			if err := os.WriteFile(filepath.Join(pkg, name), []byte(src), 0o600); err != nil {
				return nil, err
			}
		}
		bin := filepath.Join(pkg, "bin")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "./"+pkg)
		if b, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w: %s", s.name, err, b)
		}
		info, err := os.Stat(bin)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			base = info.Size()
		}
		list, err := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+pkg).Output()
		if err != nil {
			return nil, fmt.Errorf("listing the packages of %s: %w", s.name, err)
		}
		out = append(out, linked{s.name, (info.Size() - base) / 1024, len(strings.Fields(string(list))) - 1})
	}
	return out, nil
}

// stdFor gives the imports of the standard library that a use needs.
func stdFor(use string) (imports string) {
	for _, p := range []struct{ mention, path string }{{"http.", "net/http"}, {"os.", "os"}} {
		if strings.Contains(strings.ReplaceAll(use, "clerkhttp.", ""), p.mention) {
			imports += "\t\"" + p.path + "\"\n"
		}
	}
	return imports
}

func printSizes(w io.Writer, s []linked) {
	fmt.Fprintln(w, "\nWhat lands in a user's stripped binary")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tKiB more\tpackages\t")
	for _, l := range s {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", l.Name, l.KiB, l.Packages)
	}
	_ = t.Flush()
}
