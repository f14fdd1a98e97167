package m2mtest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/m2mauth/clerk-m2m/generated"
)

// content is what [Server.Load] reads.
type content struct {
	SecretKey string           `json:"secret_key"`
	Machines  []contentMachine `json:"machines"`
	APIKeys   []contentAPIKey  `json:"api_keys"`
}

type contentMachine struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	SecretKey       string   `json:"secret_key"`
	DefaultTokenTTL int64    `json:"default_token_ttl"`
	Scopes          []string `json:"scopes"`
}

type contentAPIKey struct {
	Name    string          `json:"name"`
	Subject string          `json:"subject"`
	Secret  string          `json:"secret"`
	Scopes  []string        `json:"scopes"`
	Claims  json.RawMessage `json:"claims"`
}

// Load adds what a JSON document describes, so that an emulator starts with known machines and keys:
//
//	{
//	  "secret_key": "sk_test_...",
//	  "machines": [
//	    {"name": "billing", "id": "mch_...", "secret_key": "ak_...", "default_token_ttl": 600},
//	    {"name": "orders", "scopes": ["billing"]}
//	  ],
//	  "api_keys": [{"name": "deploy", "subject": "user_...", "secret": "ak_...", "scopes": ["read"], "claims": {}}]
//	}
//
// Only names and subjects are required; what is absent is made up. Scopes are names of machines, or ids. The machine
// named "default" is the one of [Server.Machine]. Nothing is added when the error is not nil; it says which entry is
// wrong, and holds no secret.
func (s *Server) Load(r io.Reader) error {
	var c content
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return fmt.Errorf("m2mtest: the content is not as Load describes it: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkContent(&c); err != nil {
		return fmt.Errorf("m2mtest: %w", err)
	}
	if c.SecretKey != "" {
		s.secretKey = c.SecretKey
	}
	byName := make(map[string]*machine)
	for _, given := range c.Machines {
		byName[given.Name] = s.loadMachine(given)
	}
	for _, given := range c.Machines {
		m := byName[given.Name]
		for _, scope := range given.Scopes {
			id := scope
			if to := byName[scope]; to != nil {
				id = to.id
			}
			if !slices.Contains(m.scopes, id) {
				m.scopes = append(m.scopes, id)
			}
		}
	}
	for _, given := range c.APIKeys {
		now := s.Now()
		k := &apiKey{
			life: life{created: now, updated: now}, id: s.ids.hexID("ak_"), kind: apiKeyKind, subject: given.Subject,
			name: given.Name, secret: given.Secret, scopes: given.Scopes, claims: notNull(given.Claims),
		}
		if k.secret == "" {
			k.secret = s.ids.text("ak_", 42)
		}
		s.state.addAPIKey(k)
	}
	return nil
}

// loadMachine adds a machine, or changes the default one.
func (s *Server) loadMachine(given contentMachine) *machine {
	var m *machine
	if given.Name == defaultMachine {
		m = s.state.machine(s.machine.ID)
	}
	if m == nil {
		m = s.newMachine(given.Name, nil, nil)
	}
	if given.ID != "" {
		m.id = given.ID
	}
	if given.SecretKey != "" {
		m.secret = given.SecretKey
	}
	if given.DefaultTokenTTL != 0 {
		m.ttl = given.DefaultTokenTTL
	}
	if given.Name == defaultMachine {
		s.machine = Machine{ID: m.id, Name: m.name, SecretKey: generated.Secret(m.secret)}
	}
	return m
}

func (s *Server) checkContent(c *content) error {
	if c.SecretKey != "" && !strings.HasPrefix(c.SecretKey, "sk_") {
		return fmt.Errorf("secret_key does not begin with sk_")
	}
	known := make(map[string]bool) // names and ids
	for _, m := range s.state.machines {
		known[m.id] = true
	}
	secrets := make(map[string]bool)
	for i, m := range c.Machines {
		switch {
		case m.Name == "" || known[m.Name]:
			return fmt.Errorf("machines/%d: the name is missing or there before", i)
		case m.ID != "" && (known[m.ID] || !machineIDShape.MatchString(m.ID)):
			return fmt.Errorf("machines/%d: the id is not mch_ and 27 letters or digits, or is there before", i)
		case m.SecretKey != "" && (!strings.HasPrefix(m.SecretKey, "ak_") || secrets[m.SecretKey]):
			return fmt.Errorf("machines/%d: the secret_key does not begin with ak_, or is there before", i)
		case m.DefaultTokenTTL < 0 || m.DefaultTokenTTL > 315360000:
			return fmt.Errorf("machines/%d: default_token_ttl is not from 1 to 315360000", i)
		}
		known[m.Name], known[m.ID], secrets[m.SecretKey] = true, true, true
	}
	for i, m := range c.Machines {
		for j, scope := range m.Scopes {
			if scope == "" || !known[scope] {
				return fmt.Errorf("machines/%d/scopes/%d names no machine", i, j)
			}
		}
		if len(m.Scopes) > maxScopes {
			return fmt.Errorf("machines/%d: more than %d scopes", i, maxScopes)
		}
	}
	for i, k := range c.APIKeys {
		switch {
		case len(k.Name) < 3:
			return fmt.Errorf("api_keys/%d: the name has less than 3 characters", i)
		case !apiKeySubjectShape.MatchString(k.Subject):
			return fmt.Errorf("api_keys/%d: the subject is not user_, org_ or mch_ and 27 letters or digits", i)
		case k.Secret != "" && (!strings.HasPrefix(k.Secret, "ak_") || secrets[k.Secret]):
			return fmt.Errorf("api_keys/%d: the secret does not begin with ak_, or is there before", i)
		}
		var claims map[string]any
		if k.Claims != nil && json.Unmarshal(k.Claims, &claims) != nil {
			return fmt.Errorf("api_keys/%d: the claims are not an object", i)
		}
		secrets[k.Secret] = true
	}
	return nil
}
