// oidc-provider as a peer of the benchmark: node server.mjs STOCK COUNT
// prepares COUNT authorizations of each kind, writes their tokens to the file STOCK,
// and says where it listens. It is one process without a cluster: node computes on
// one core, and what is in memory could not be shared with a second one.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

import Provider from 'oidc-provider';
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js';
import LRU from 'oidc-provider/lib/helpers/lru.js';

const [file, count] = [process.argv[2], Number(process.argv[3])];
const verifier = 'dBjftJeZ4CVP-mBbQ2LeQw8nKUlz0w1cTJq9sVxYzAE';
const redirectURI = 'https://app.example.com/callback';
const day = 24 * 60 * 60;

const clients = Array.from({ length: 100 }, (_, i) => ({
  client_id: `application${i}`,
  client_secret: randomBytes(32).toString('hex'),
  token_endpoint_auth_method: 'client_secret_post',
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  redirect_uris: [redirectURI],
  scope: 'openid profile',
}));

// Its own in-memory adapter keeps 1,000 entries and forgets the rest; all that was
// prepared has to stay. With each token it goes through all of its grant, so a chain of
// refreshes gets slower as it grows.
const store = new LRU({ maxSize: 100_000_000 });

const provider = new Provider('http://localhost', {
  adapter: (model) => new MemoryAdapter(model, store),
  clients,
  cookies: { keys: [randomBytes(32).toString('hex')] },
  jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: false },
  },
  interactions: { url: () => '/interaction' },
  claims: { openid: ['sub'], profile: ['preferred_username'] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, preferred_username: sub }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  // A code lives a minute by default: too short to wait for its turn.
  ttl: { AccessToken: day, AuthorizationCode: day, ClientCredentials: day, Grant: day, RefreshToken: day },
});

async function grant(i, scope) {
  const granted = new provider.Grant({ accountId: `person${i}`, clientId: clients[i % clients.length].client_id });
  granted.addOIDCScope(scope);
  return granted.save();
}

async function prepare() {
  const stock = {
    version: `oidc-provider ${version()}, node ${process.version}`,
    clients: clients.map((c) => ({ id: c.client_id, secret: c.client_secret })),
    redirect_uri: redirectURI, verifier, access: [], refresh: [], codes: [],
  };
  const codeChallenge = createHash('sha256').update(verifier).digest('base64url');
  for (let i = 0; i < count; i++) {
    const client = await provider.Client.find(clients[i % clients.length].client_id);
    const common = { client, accountId: `person${i}`, gty: 'authorization_code' };
    // userinfo asks for the scope openid; without it no ID token has to be signed with
    // each code and refresh, which OAuth 2.0 does not know.
    let grantId = await grant(i, 'openid profile');
    stock.access.push(await new provider.AccessToken({ ...common, grantId, scope: 'openid profile' }).save());
    grantId = await grant(i, 'profile');
    stock.refresh.push(await new provider.RefreshToken({ ...common, grantId, scope: 'profile' }).save());
    grantId = await grant(i, 'profile');
    stock.codes.push(await new provider.AuthorizationCode({
      ...common, grantId, scope: 'profile', redirectUri: redirectURI, codeChallenge, codeChallengeMethod: 'S256',
    }).save());
  }
  writeFileSync(file, JSON.stringify(stock));
}

function version() {
  return JSON.parse(readFileSync(new URL('node_modules/oidc-provider/package.json', import.meta.url))).version;
}

await prepare();
const server = provider.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
