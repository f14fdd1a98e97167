// What @clerk/backend says of each token, with the key given (pem) and with the keys fetched (jwks).
import { createClerkClient } from '@clerk/backend';
import { end, input, line } from './lines.mjs';

const { apiUrl, secretKey, publishableKey, jwtKey } = input.environment;
const common = { apiUrl, secretKey, publishableKey, telemetry: { disabled: true } };
const modes = { pem: createClerkClient({ ...common, jwtKey }), jwks: createClerkClient(common) };

// The names that the JSON of a clerk-m2m State has, which are this SDK's.
const fields = {
  m2m_token: ['id', 'subject', 'scopes', 'claims', 'machineId'],
  oauth_token: ['id', 'subject', 'scopes', 'userId', 'clientId'],
  session_token: ['userId', 'sessionId'],
};

async function verdict(client, token, acceptsToken) {
  try {
    const request = new Request('http://service.test/', { headers: { Authorization: `Bearer ${token}` } });
    const state = await client.authenticateRequest(request, { acceptsToken, clockSkewInMs: input.clockSkewInMs });
    if (!state.isAuthenticated) return { verdict: 'refuses', why: `${state.reason}: ${state.message}` };
    const auth = state.toAuth();
    return { verdict: 'accepts', auth: Object.fromEntries(fields[acceptsToken].map(f => [f, auth[f] ?? null])) };
  } catch (err) {
    return { verdict: 'crashes', why: String(err) };
  }
}

for (const { name, token, accept } of input.cases) {
  for (const [mode, client] of Object.entries(modes)) {
    line({ case: name, accept, mode, ...(await verdict(client, token, accept)) });
  }
}
end();
