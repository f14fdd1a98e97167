// What @clerk/backend says of each token.
import { createClerkClient } from '@clerk/backend';
import { end, input, line } from './lines.mjs';

const { apiUrl, secretKey, publishableKey, jwtKey, callee } = input.environment;
const client = createClerkClient({
  apiUrl, secretKey, publishableKey,
  machineSecretKey: callee.secretKey,
  jwtKey: jwtKey || undefined,
  telemetry: { disabled: true },
});

// The names that the JSON of a clerk-m2m State has, which are this SDK's.
const fields = {
  m2m_token: ['id', 'subject', 'scopes', 'claims', 'machineId'],
  api_key: ['id', 'subject', 'name', 'scopes', 'claims', 'userId', 'orgId'],
  oauth_token: ['id', 'subject', 'scopes', 'userId', 'clientId'],
  session_token: ['userId', 'sessionId'],
};

async function verdict(token, acceptsToken) {
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
  line({ case: name, accept, ...(await verdict(token, accept)) });
}
end();
