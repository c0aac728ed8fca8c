// A real OpenID provider for tests, on loopback. Arguments: the folder of its packages, and one JSON
// object: { port, client, secret, back, after, alg, post }. It writes its port in a line of its own,
// signs with keys that it makes at each start, and ends when its input does.
//
// People: whoever signs in is NAME@example.com, with the groups that stand behind a + in the name:
// `anna+instep-operators` is anna@example.com in the group instep-operators.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [packages, given] = process.argv.slice(2);
const asked = JSON.parse(given);
const entry = join(packages, 'node_modules/oidc-provider/lib/index.js');
const { Provider } = await import(pathToFileURL(entry));

// It warns of what a test provider may do, and nobody reads that.
for (const way of ['log', 'info', 'warn', 'error']) console[way] = () => {};

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

const alg = asked.alg ?? 'RS256';
const kind = alg === 'ES256' ? ['ec', { namedCurve: 'P-256' }] : ['rsa', { modulusLength: 2048 }];
const { privateKey } = generateKeyPairSync(...kind);
const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg, use: 'sig' };

const findAccount = (_, id) => ({
  accountId: id,
  claims() {
    const [name, ...groups] = id.split('+');
    const mail = name ? `${name.replace('!', '')}@example.com` : undefined;
    return { sub: id, email: mail, email_verified: !name.endsWith('!'), groups };
  },
});

const server = createServer();
server.listen(asked.port ?? 0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: asked.client,
      client_secret: asked.secret,
      redirect_uris: [asked.back],
      post_logout_redirect_uris: [asked.after],
      id_token_signed_response_alg: alg,
      token_endpoint_auth_method: asked.post ? 'client_secret_post' : 'client_secret_basic',
    }],
    clientAuthMethods: [asked.post ? 'client_secret_post' : 'client_secret_basic'],
    enabledJWA: { idTokenSigningAlgValues: [alg] },
    jwks: { keys: [key] },
    cookies: { keys: ['only for tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['groups'] },
    features: { devInteractions: { enabled: true } },
    pkce: { required: () => true },
    findAccount,
  });
  server.on('request', provider.callback());
  process.stdout.write(`${port}\n`);
});
