package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// errNoNode says that there is no node to measure with.
var errNoNode = errors.New("skipped: node and npm are not installed")

// nodeRates are verifications per second of @clerk/backend.
type nodeRates struct{ Verify, AuthenticateRequest float64 }

const nodeScript = `
import { createClerkClient } from '@clerk/backend';
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { token, jwtKey } = JSON.parse(input);
const publishableKey = 'pk_test_' + Buffer.from('clerk.bench.example.com$').toString('base64');
const client = createClerkClient({ secretKey: 'sk_test_bench', publishableKey, jwtKey, telemetry: { disabled: true } });
async function rate(f) {
  for (let i = 0; i < 500; i++) await f();
  const start = process.hrtime.bigint();
  let n = 0;
  while (process.hrtime.bigint() - start < 2_000_000_000n) { await f(); n++; }
  return n / (Number(process.hrtime.bigint() - start) / 1e9);
}
const Verify = await rate(async () => { const r = await client.m2m.verify({ token }); if (!r.subject) throw new Error('not verified'); });
const AuthenticateRequest = await rate(async () => {
  const r = await client.authenticateRequest(new Request('https://callee.example.com/', { headers: { authorization: 'Bearer ' + token } }), { acceptsToken: 'm2m_token' });
  if (!r.isAuthenticated) throw new Error('not authenticated: ' + r.reason);
});
console.log(JSON.stringify({ Verify, AuthenticateRequest }));
`

// node measures @clerk/backend 3.25.0 on the same token, installing it where a cache of this module's keeps it.
func node(ctx context.Context, log io.Writer) (nodeRates, error) {
	var rates nodeRates
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return rates, errNoNode
		}
	}
	dir, err := os.MkdirTemp("", "clerk-m2m-bench-")
	if err != nil {
		return rates, err
	}
	defer os.RemoveAll(dir)
	install := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "@clerk/backend@3.25.0")
	install.Dir, install.Stdout, install.Stderr = dir, log, log
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private":true}`), 0o600); err != nil {
		return rates, err
	}
	if err := install.Run(); err != nil {
		return rates, fmt.Errorf("npm install: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.mjs"), []byte(nodeScript), 0o600); err != nil {
		return rates, err
	}
	s, err := newSigner("RS256")
	if err != nil {
		return rates, err
	}
	token, err := s.sign(nil, claims(1))
	if err != nil {
		return rates, err
	}
	cmd := exec.CommandContext(ctx, "node", "bench.mjs")
	cmd.Dir, cmd.Stderr = dir, log
	in, err := cmd.StdinPipe()
	if err != nil {
		return rates, err
	}
	go func() {
		defer in.Close()
		_ = json.NewEncoder(in).Encode(map[string]string{"token": token, "jwtKey": s.pem})
	}()
	out, err := cmd.Output()
	if err != nil {
		return rates, fmt.Errorf("node: %w", err)
	}
	return rates, json.Unmarshal(out, &rates)
}
