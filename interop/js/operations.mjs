// Every machine-auth call of @clerk/backend, the way its documentation tells users to make it.
import assert from 'node:assert/strict';
import { createClerkClient } from '@clerk/backend';
import { check, end, input } from './lines.mjs';

const { apiUrl, secretKey, publishableKey, caller, callee, stranger, user, tokens } = input;
const common = { apiUrl, publishableKey, telemetry: { disabled: true } };

// The instance, the machine that calls, the one that is called, and one that is not meant.
const instance = createClerkClient({ ...common, secretKey });
const calling = createClerkClient({ ...common, machineSecretKey: caller.secretKey });
const called = createClerkClient({ ...common, machineSecretKey: callee.secretKey });
const other = createClerkClient({ ...common, machineSecretKey: stranger.secretKey });

// refused asserts that Clerk's error comes through whole: status, codes, texts and trace id.
async function refused(status, promise) {
  let result;
  try {
    result = await promise;
  } catch (err) {
    assert.equal(err.status, status, `status ${err.status}: ${err.errors?.map(e => e.code)}`);
    assert.equal(err.clerkError, true);
    assert.ok(err.errors.length > 0, 'no errors');
    for (const e of err.errors) {
      assert.match(e.code, /^[a-z0-9_]+$/);
      assert.ok(e.message && e.longMessage, 'no message');
    }
    assert.ok(err.clerkTraceId, 'no trace id');
    return err;
  }
  assert.fail(`not refused: ${JSON.stringify(result)}`);
}

const near = (ms, wanted) => assert.ok(Math.abs(ms - wanted) < 60_000, `${ms} is not near ${wanted}`);
const ids = list => list.data.map(item => item.id);

// M2M tokens.

const claims = { tenantId: 'acme', nested_value: { camelCase: [1, null, 'x'], snake_case: true } };
let opaque;
await check('m2m.createToken opaque', async () => {
  opaque = await calling.m2m.createToken({ secondsUntilExpiration: 600, claims });
  assert.match(opaque.id, /^mt_[0-9a-f]{32}$/i);
  assert.match(opaque.token, /^mt_\w+$/);
  assert.notEqual(opaque.token, opaque.id);
  assert.equal(opaque.subject, caller.id);
  assert.deepEqual(opaque.scopes, [callee.id]);
  assert.deepEqual(opaque.claims, claims);
  assert.deepEqual([opaque.revoked, opaque.revocationReason, opaque.expired], [false, null, false]);
  near(opaque.expiration, Date.now() + 600_000);
  near(opaque.createdAt, Date.now());
  near(opaque.updatedAt, Date.now());
});
await check('m2m.createToken with nothing but defaults', async () => {
  const token = await calling.m2m.createToken(); // sends seconds_until_expiration: null, which means never
  assert.equal(token.expiration, null);
  assert.equal(token.claims, null);
});
await check('m2m.createToken reuses a token with minRemainingTtlSeconds', async () => {
  const params = { secondsUntilExpiration: 900, claims: { reuse: 'yes' }, minRemainingTtlSeconds: 300 };
  const first = await calling.m2m.createToken(params);
  const second = await calling.m2m.createToken(params);
  const changed = await calling.m2m.createToken({ ...params, claims: { reuse: 'no' } });
  assert.deepEqual([second.id, second.token], [first.id, first.token]);
  assert.notEqual(changed.id, first.id);
});
await check('m2m.createToken refuses minRemainingTtlSeconds that is not below the lifetime', () =>
  refused(400, calling.m2m.createToken({ secondsUntilExpiration: 300, minRemainingTtlSeconds: 300 })));
let jwt;
await check('m2m.createToken jwt', async () => {
  jwt = await calling.m2m.createToken({ tokenFormat: 'jwt', secondsUntilExpiration: 600, claims });
  assert.match(jwt.token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(jwt.subject, caller.id);
  assert.deepEqual(jwt.scopes, [callee.id]);
  near(jwt.expiration, Date.now() + 600_000);
});
await check('m2m.createToken with machineSecretKey for one call', async () => {
  const token = await other.m2m.createToken({ machineSecretKey: caller.secretKey });
  assert.equal(token.subject, caller.id);
});
await check('m2m.createToken refuses a secret that is no machine\'s', () =>
  refused(401, calling.m2m.createToken({ machineSecretKey: 'ak_nobody' })));
await check('m2m.createToken refuses the instance\'s secret', () => refused(401, instance.m2m.createToken()));

await check('m2m.list', async () => {
  const list = await calling.m2m.list({ subject: caller.id });
  assert.equal(list.data[0].token, undefined);
  assert.ok(ids(list).includes(opaque.id), 'the opaque token is not listed');
  assert.ok(!ids(list).includes(jwt.id), 'a JWT is listed, though it is not stored');
  assert.ok(list.totalCount >= 4, `totalCount ${list.totalCount}`);
});
await check('m2m.list by pages', async () => {
  const whole = await instance.m2m.list({ subject: caller.id, limit: 100 });
  const paged = [];
  for (let offset = 0; offset < whole.totalCount; offset += 2) {
    paged.push(...ids(await instance.m2m.list({ subject: caller.id, limit: 2, offset })));
  }
  assert.deepEqual(paged, ids(whole));
});
await check('m2m.list refuses a machine the tokens of another', () =>
  refused(403, other.m2m.list({ subject: caller.id })));

await check('m2m.verify opaque by the machine that is called', async () => {
  const token = await called.m2m.verify({ token: opaque.token });
  assert.deepEqual(
    [token.id, token.subject, token.scopes, token.claims, token.revoked, token.expired],
    [opaque.id, caller.id, [callee.id], claims, false, false],
  );
});
await check('m2m.verify opaque by the instance', async () => {
  assert.equal((await instance.m2m.verify({ token: opaque.token })).subject, caller.id);
});
await check('m2m.verify refuses a token that was not meant for the machine', () =>
  refused(404, other.m2m.verify({ token: opaque.token })));
await check('m2m.verify refuses a token that never was', () =>
  refused(404, called.m2m.verify({ token: 'mt_00000000000000000000000000000000' })));
await check('m2m.verify jwt with the keys of the instance', async () => {
  const token = await instance.m2m.verify({ token: jwt.token });
  assert.deepEqual([token.id, token.subject, token.scopes], [jwt.id, caller.id, [callee.id]]);
  assert.equal(token.claims.tenantId, 'acme');
  assert.deepEqual(token.claims.nested_value, claims.nested_value);
});

await check('m2m.revokeToken', async () => {
  const token = await calling.m2m.revokeToken({ m2mTokenId: opaque.id, revocationReason: 'rotated' });
  assert.deepEqual([token.id, token.revoked, token.revocationReason], [opaque.id, true, 'rotated']);
});
await check('m2m.verify refuses a revoked token', () =>
  refused(404, called.m2m.verify({ token: opaque.token })));
await check('m2m.list shows revoked tokens when asked', async () => {
  assert.ok(!ids(await calling.m2m.list({ subject: caller.id })).includes(opaque.id));
  const list = await calling.m2m.list({ subject: caller.id, revoked: true });
  assert.equal(list.data.find(t => t.id === opaque.id)?.revocationReason, 'rotated');
});
await check('m2m.revokeToken refuses a machine the tokens of another', async () => {
  const token = await calling.m2m.createToken();
  await refused(404, other.m2m.revokeToken({ m2mTokenId: token.id }));
  assert.equal((await instance.m2m.revokeToken({ m2mTokenId: token.id })).revoked, true);
});
await check('m2m.revokeToken refuses a token that never was', () =>
  refused(404, calling.m2m.revokeToken({ m2mTokenId: 'mt_00000000000000000000000000000000' })));

// Machines.

let machine;
await check('machines.create', async () => {
  machine = await instance.machines.create({ name: 'interop-js', scopedMachines: [callee.id], defaultTokenTtl: 120 });
  assert.match(machine.id, /^mch_\w{27}$/);
  assert.match(machine.secretKey, /^ak_\w+$/);
  assert.deepEqual([machine.name, machine.defaultTokenTtl], ['interop-js', 120]);
  assert.deepEqual(machine.scopedMachines.map(m => m.id), [callee.id]);
  assert.ok(machine.instanceId.startsWith('ins_'));
});
await check('machines.get', async () => {
  const got = await instance.machines.get(machine.id);
  assert.deepEqual([got.id, got.name, got.secretKey], [machine.id, 'interop-js', undefined]);
  assert.deepEqual(got.scopedMachines.map(m => m.id), [callee.id]);
});
await check('machines.list with a query, an order and pages', async () => {
  const extra = await instance.machines.create({ name: 'interop-js-2' });
  const list = await instance.machines.list({ query: 'interop-js', orderBy: '-name', limit: 1, offset: 1 });
  assert.equal(list.totalCount, 2);
  assert.deepEqual(ids(list), [machine.id]);
  assert.deepEqual(ids(await instance.machines.list({ query: extra.id })), [extra.id]);
  await instance.machines.delete(extra.id);
});
await check('machines.update', async () => {
  const got = await instance.machines.update({ machineId: machine.id, name: 'interop-js-renamed', defaultTokenTtl: 60 });
  assert.deepEqual([got.name, got.defaultTokenTtl], ['interop-js-renamed', 60]);
});
await check('machines.createScope', async () => {
  const scope = await instance.machines.createScope(machine.id, stranger.id);
  assert.deepEqual([scope.fromMachineId, scope.toMachineId], [machine.id, stranger.id]);
  const token = await instance.m2m.createToken({ machineSecretKey: machine.secretKey });
  assert.deepEqual([...token.scopes].sort(), [callee.id, stranger.id].sort());
});
await check('machines.createScope refuses a scope that is there', () =>
  refused(409, instance.machines.createScope(machine.id, stranger.id)));
await check('machines.deleteScope', async () => {
  await instance.machines.deleteScope(machine.id, stranger.id); // its result has no ids in this SDK
  const got = await instance.machines.get(machine.id);
  assert.deepEqual(got.scopedMachines.map(m => m.id), [callee.id]);
  await refused(404, instance.machines.deleteScope(machine.id, stranger.id));
});
await check('machines.getSecretKey', async () => {
  assert.equal((await instance.machines.getSecretKey(machine.id)).secret, machine.secretKey);
});
await check('machines.rotateSecretKey', async () => {
  const mint = secret => instance.m2m.createToken({ machineSecretKey: secret });
  const graceful = await instance.machines.rotateSecretKey({ machineId: machine.id, previousTokenTtl: 3600 });
  assert.match(graceful.secret, /^ak_\w+$/);
  assert.notEqual(graceful.secret, machine.secretKey);
  await mint(machine.secretKey);
  await mint(graceful.secret);
  const hard = await instance.machines.rotateSecretKey({ machineId: machine.id, previousTokenTtl: 0 });
  await refused(401, mint(graceful.secret));
  await mint(hard.secret);
  machine.secretKey = hard.secret;
});
await check('machines.delete', async () => {
  await instance.machines.delete(machine.id);
  await refused(404, instance.machines.get(machine.id));
  await refused(401, instance.m2m.createToken({ machineSecretKey: machine.secretKey }));
});
await check('machines refuses what the spec does not allow', async () => {
  await refused(400, instance.machines.create({ name: '' }));
});
await check('machines refuses a machine\'s secret', () =>
  refused(401, createClerkClient({ ...common, secretKey: caller.secretKey }).machines.list()));

// API keys.

let key;
await check('apiKeys.create', async () => {
  key = await instance.apiKeys.create({
    name: 'interop key', subject: user, description: 'for a test', claims, scopes: ['read', 'write'], secondsUntilExpiration: 600,
  });
  assert.match(key.id, /^ak_[0-9a-f]{32}$/i);
  assert.match(key.secret, /^ak_\w+$/);
  assert.notEqual(key.secret, key.id);
  assert.deepEqual([key.subject, key.name, key.scopes, key.claims], [user, 'interop key', ['read', 'write'], claims]);
  near(key.expiration, Date.now() + 600_000);
});
await check('apiKeys.get', async () => {
  const got = await instance.apiKeys.get(key.id);
  assert.deepEqual([got.id, got.name, got.secret], [key.id, 'interop key', undefined]);
});
await check('apiKeys.list', async () => {
  assert.deepEqual(ids(await instance.apiKeys.list({ subject: user })).filter(id => id === key.id), [key.id]);
});
await check('apiKeys.update', async () => {
  const got = await instance.apiKeys.update({ apiKeyId: key.id, subject: user, scopes: ['read'], description: 'changed' });
  assert.deepEqual([got.scopes, got.description], [['read'], 'changed']);
});
await check('apiKeys.getSecret', async () => {
  assert.equal((await instance.apiKeys.getSecret(key.id)).secret, key.secret);
});
await check('apiKeys.verify', async () => {
  const got = await instance.apiKeys.verify(key.secret);
  assert.deepEqual([got.id, got.subject, got.scopes, got.claims], [key.id, user, ['read'], claims]);
});
await check('apiKeys.verify refuses a key that never was', () => refused(404, instance.apiKeys.verify('ak_nobody')));
await check('apiKeys.revoke', async () => {
  const got = await instance.apiKeys.revoke({ apiKeyId: key.id, revocationReason: 'leaked' });
  assert.deepEqual([got.revoked, got.revocationReason], [true, 'leaked']);
  await refused(404, instance.apiKeys.verify(key.secret));
  assert.ok(!ids(await instance.apiKeys.list({ subject: user })).includes(key.id));
  assert.ok(ids(await instance.apiKeys.list({ subject: user, includeInvalid: true })).includes(key.id));
});
await check('apiKeys.delete', async () => {
  assert.equal((await instance.apiKeys.delete(key.id)).deleted, true);
  await refused(404, instance.apiKeys.get(key.id));
});

// OAuth access tokens and keys.

await check('idPOAuthAccessToken.verify opaque', async () => {
  const got = await instance.idPOAuthAccessToken.verify(tokens.oauthOpaque);
  assert.match(got.id, /^oat_[0-9a-f]{32}$/i);
  assert.deepEqual([got.subject, got.clientId.startsWith('client_'), got.revoked, got.expired], [user, true, false, false]);
});
await check('idPOAuthAccessToken.verify jwt', async () => {
  const got = await instance.idPOAuthAccessToken.verify(tokens.oauthJWT);
  assert.deepEqual([got.subject, got.revoked, got.expired], [user, false, false]);
});
await check('idPOAuthAccessToken.verify refuses a token that never was', () =>
  refused(404, instance.idPOAuthAccessToken.verify('oat_nobody')));
await check('jwks.getJwks', async () => {
  const { keys } = await instance.jwks.getJwks();
  assert.ok(keys.length > 0 && keys.every(k => k.kid.startsWith('ins_') && k.alg === 'RS256' && k.use === 'sig'));
});

// authenticateRequest, as a service calls it.

const request = token =>
  new Request('http://service.test/report', { headers: token ? { Authorization: `Bearer ${token}` } : {} });
// Without a key in PEM form the instance's JWKS is fetched.
const authenticate = (client, token, acceptsToken) => client.authenticateRequest(request(token), { acceptsToken });
async function signedIn(state, tokenType) {
  assert.equal(state.isAuthenticated, true, `${state.reason}: ${state.message}`);
  assert.equal(state.tokenType, tokenType);
  return state.toAuth();
}
function signedOut(state, reason) {
  assert.equal(state.isAuthenticated, false);
  assert.equal(state.reason, reason, `${state.reason}: ${state.message}`);
}
const both = createClerkClient({ ...common, secretKey, machineSecretKey: callee.secretKey });

let live;
await check('authenticateRequest m2m_token opaque', async () => {
  live = await calling.m2m.createToken({ secondsUntilExpiration: 600, claims });
  for (const client of [called, instance, both]) {
    const auth = await signedIn(await authenticate(client, live.token, 'm2m_token'), 'm2m_token');
    assert.deepEqual([auth.id, auth.subject, auth.machineId, auth.scopes, auth.claims],
      [live.id, caller.id, caller.id, [callee.id], claims]);
  }
});
await check('authenticateRequest m2m_token opaque, not meant for the machine', async () => {
  signedOut(await authenticate(other, live.token, 'm2m_token'), 'token-invalid');
});
await check('authenticateRequest m2m_token opaque, our secret refused', async () => {
  const nobody = createClerkClient({ ...common, machineSecretKey: 'ak_nobody' });
  signedOut(await authenticate(nobody, live.token, 'm2m_token'), 'secret-key-invalid');
});
await check('authenticateRequest m2m_token opaque, revoked', async () => {
  await calling.m2m.revokeToken({ m2mTokenId: live.id });
  signedOut(await authenticate(called, live.token, 'm2m_token'), 'token-invalid');
});
await check('authenticateRequest m2m_token jwt', async () => {
  const auth = await signedIn(await authenticate(instance, jwt.token, 'm2m_token'), 'm2m_token');
  assert.deepEqual([auth.id, auth.machineId, auth.scopes, auth.claims.tenantId], [jwt.id, caller.id, [callee.id], 'acme']);
});
await check('authenticateRequest api_key', async () => {
  const fresh = await instance.apiKeys.create({ name: 'live key', subject: user, scopes: ['read'] });
  const auth = await signedIn(await authenticate(instance, fresh.secret, 'api_key'), 'api_key');
  assert.deepEqual([auth.id, auth.userId, auth.orgId, auth.name, auth.scopes], [fresh.id, user, null, 'live key', ['read']]);
  await instance.apiKeys.revoke({ apiKeyId: fresh.id });
  signedOut(await authenticate(instance, fresh.secret, 'api_key'), 'token-invalid');
});
await check('authenticateRequest oauth_token opaque', async () => {
  const auth = await signedIn(await authenticate(instance, tokens.oauthOpaque, 'oauth_token'), 'oauth_token');
  assert.equal(auth.userId, user);
});
await check('authenticateRequest oauth_token jwt', async () => {
  const auth = await signedIn(await authenticate(instance, tokens.oauthJWT, 'oauth_token'), 'oauth_token');
  assert.equal(auth.userId, user);
});
await check('authenticateRequest session_token', async () => {
  const auth = await signedIn(await authenticate(instance, tokens.session, 'session_token'), 'session_token');
  assert.equal(auth.userId, user);
});
await check('authenticateRequest any, with each', async () => {
  const fresh = await calling.m2m.createToken();
  const apiKey = await instance.apiKeys.create({ name: 'any key', subject: user });
  for (const [token, type] of [[fresh.token, 'm2m_token'], [jwt.token, 'm2m_token'], [apiKey.secret, 'api_key'],
    [tokens.oauthOpaque, 'oauth_token'], [tokens.oauthJWT, 'oauth_token'], [tokens.session, 'session_token']]) {
    await signedIn(await authenticate(instance, token, 'any'), type);
  }
});
await check('authenticateRequest with no token, and with one of another kind', async () => {
  signedOut(await authenticate(called, undefined, 'm2m_token'), 'No token in header');
  signedOut(await authenticate(called, tokens.oauthOpaque, 'm2m_token'), 'token-type-mismatch');
  signedOut(await authenticate(called, tokens.session, 'm2m_token'), 'token-type-mismatch');
  signedOut(await authenticate(instance, jwt.token, 'session_token'), 'token-type-mismatch');
});

end();
