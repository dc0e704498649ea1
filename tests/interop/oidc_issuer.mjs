// An OAuth2 issuer that nobody here wrote: npm's oidc-provider, with keys of four kinds and two clients.
//
//   node oidc_issuer.mjs <folder with node_modules> <file for its URL>
//
// A token for the resource `urn:tidings:<alg>` is a JWT (RFC 9068) signed with that algorithm, for the audience
// `tidings`; one for `urn:elsewhere` has another audience. It runs until it is ended.

import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import { renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// What Debian 12's Node.js (18) lacks of what the library takes for granted.
globalThis.crypto ??= webcrypto;
URL.parse ??= (url, base) => {
  try {
    return new URL(url, base);
  } catch {
    return null;
  }
};

const [project, urlFile] = process.argv.slice(2);
const entry = resolve(project, 'node_modules/oidc-provider/lib/index.js');
const { Provider } = await import(pathToFileURL(entry));

const SCOPES = ['notification:consent:consumer', 'notification:consent:administrator', 'events:publish', 'other'];

const jwk = (kid, alg, kind, options) => {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
};
const keys = [
  jwk('es', 'ES256', 'ec', { namedCurve: 'P-256' }),
  jwk('rs', 'RS256', 'rsa', { modulusLength: 2048 }),
  jwk('ps', 'PS256', 'rsa', { modulusLength: 2048 }),
  jwk('ed', 'EdDSA', 'ed25519', {}),
];

const client = (id) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

const server = createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client('partner-a'), client('stranger')],
    jwks: { keys },
    scopes: SCOPES,
    extraTokenClaims: () => ({ partyId: ['1001', '2001'] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: SCOPES.join(' '),
          audience: resource === 'urn:elsewhere' ? 'elsewhere' : 'tidings',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: resource === 'urn:elsewhere' ? 'ES256' : resource.split(':')[2] } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  // Whole, or not there.
  writeFileSync(`${urlFile}.new`, issuer);
  renameSync(`${urlFile}.new`, urlFile);
});
