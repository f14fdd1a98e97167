package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/m2mauth/clerk-m2m/authn"
)

// decision is what becomes of a token.
type decision string

const (
	accepts decision = "accepts"
	refuses decision = "refuses"
	crashes decision = "crashes" // an exception or a panic: neither yes nor no
	unsure  decision = "cannot decide"
)

// verdict is what one implementation says of one token.
type verdict struct {
	Decision decision        `json:"verdict"`
	Why      string          `json:"why"`  // in the implementation's own words; nothing depends on them
	Auth     json.RawMessage `json:"auth"` // who is calling, when accepted
}

func (v verdict) String() string {
	if v.Decision == accepts {
		return fmt.Sprintf("accepts as %s", v.Auth)
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s)", v.Decision, v.Why))
}

// agrees tells whether a peer's verdict is ours, and names the same caller in each field that the peer has.
func (v verdict) agrees(peer verdict) bool {
	if v.Decision != peer.Decision {
		return false
	}
	if v.Decision != accepts {
		return true
	}
	var ours, theirs map[string]any
	if json.Unmarshal(v.Auth, &ours) != nil || json.Unmarshal(peer.Auth, &theirs) != nil {
		return false
	}
	for field, value := range theirs {
		if !reflect.DeepEqual(ours[field], value) {
			return false
		}
	}
	return len(theirs) > 0
}

// opinion is who says something of which case, how. Of ours, the peer is "".
type opinion struct {
	accept authn.TokenType
	name   string
	peer   string
	mode   string // how the token is verified
}

// otherCaller is the peer's decision where it accepts as we do, but takes the caller for another.
const otherCaller decision = "accepts as another"

// judge compares what we and a peer say of a case with what is known. A disagreement that is not listed is an error, and
// so is one that is listed and is not there, or is another than listed.
func judge(ours, theirs verdict, known *disagreement) error {
	said := theirs.Decision
	if said == accepts && ours.Decision == accepts && !ours.agrees(theirs) {
		said = otherCaller
	}
	switch {
	case known == nil && ours.agrees(theirs):
		return nil
	case known == nil:
		return fmt.Errorf("a disagreement that is not listed: ours %v; theirs %v", ours, theirs)
	case ours.agrees(theirs):
		return fmt.Errorf("a disagreement is listed, but both say %v", ours)
	case ours.Decision != known.ours || said != known.theirs:
		return fmt.Errorf("listed: ours %s, theirs %s; but ours %v; theirs %v", known.ours, known.theirs, ours, theirs)
	}
	return nil
}
