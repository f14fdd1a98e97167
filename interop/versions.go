package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// What the peers must be: an upgrade is a change of this file, and of what it brings to the table of disagreements.
const (
	wantClerkBackend = "3.25.0"
	wantPrism        = "5.14.2"
	wantClerkSDKGo   = "v2.7.0"
)

// runVersions tells whether the published peers are the ones that are meant, and nothing else in their place.
func runVersions(r *report) {
	r.begin("peers", "what is run")
	r.check("@clerk/backend "+wantClerkBackend, npmVersion("@clerk/backend", wantClerkBackend))
	r.check("@stoplight/prism-cli "+wantPrism, npmVersion("@stoplight/prism-cli", wantPrism))
	r.check("clerk-sdk-go "+wantClerkSDKGo, goVersion("github.com/clerk/clerk-sdk-go/v2", wantClerkSDKGo))
}

func npmVersion(name, want string) error {
	text, err := os.ReadFile("node_modules/" + name + "/package.json")
	if err != nil {
		return fmt.Errorf("not installed; run `npm ci` in interop: %w", err)
	}
	var pkg struct{ Version string }
	if err := json.Unmarshal(text, &pkg); err != nil {
		return err
	}
	return equal("version", pkg.Version, want)
}

func goVersion(module, want string) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("the program does not know what it was built from")
	}
	for _, dep := range info.Deps {
		if dep.Path != module {
			continue
		}
		if dep.Replace != nil {
			return fmt.Errorf("it is replaced by %s", dep.Replace.Path)
		}
		return equal("version", dep.Version, want)
	}
	return errors.New("not linked")
}
