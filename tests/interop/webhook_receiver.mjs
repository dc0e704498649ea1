// Receives webhooks and verifies each with the libraries that others maintain for Node.js: standardwebhooks and svix; and
// the `v1a` signature, which neither knows, with Node's own Ed25519.
//
//   node webhook_receiver.mjs <folder with node_modules> <file for its port> <file for its findings> <file with public keys>
//        <current secret> <earlier> <ended> <stranger's>
//
// As webhook_receiver.py. The file with the public keys is that of the appliance's /.well-known; it is read when the first
// message comes.

import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [project, portFile, findings, keyFile, current, earlier, ended, stranger] = process.argv.slice(2);
const require = createRequire(resolve(project, 'package.json'));
const load = async (name) => (await import(pathToFileURL(require.resolve(name)))).Webhook;
const libraries = { standardwebhooks: await load('standardwebhooks'), svix: await load('svix') };

// RFC 8410: what stands before the 32 bytes of an Ed25519 key in DER.
const DER = Buffer.from('302a300506032b6570032100', 'hex');

function attempt(Library, secret, body, headers) {
  try {
    new Library(secret).verify(body, headers);
    return '';
  } catch (error) {
    // An event without data has no body in binary mode: it is verified, and then no JSON.
    return error instanceof SyntaxError && body === '' ? '' : String(error);
  }
}

function asymmetricFault(body, headers) {
  const signature = headers['webhook-signature'].split(' ').find((one) => one.startsWith('v1a,'));
  if (!signature) return 'there is no v1a signature';
  const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
  const { keys } = JSON.parse(readFileSync(keyFile, 'utf8'));
  const right = keys.some(({ key }) => {
    const der = Buffer.concat([DER, Buffer.from(key.replace('whpk_', ''), 'base64')]);
    const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verifySignature(null, content, publicKey, Buffer.from(signature.slice('v1a,'.length), 'base64'));
  });
  return right ? '' : 'no public key verifies the v1a signature';
}

function fault(body, headers) {
  for (const [name, Library] of Object.entries(libraries)) {
    for (const [which, secret] of Object.entries({ current, earlier })) {
      const wrong = attempt(Library, secret, body, headers);
      if (wrong) return `${name} with the ${which} secret: ${wrong}`;
    }
    for (const [which, secret] of Object.entries({ ended, stranger })) {
      if (!attempt(Library, secret, body, headers)) return `${name} verifies it with the ${which} secret`;
    }
    if (!attempt(Library, current, `${body} `, headers)) return `${name} verifies a changed body`;
  }
  return asymmetricFault(body, headers);
}

function eventOf(body, headers) {
  if (headers['content-type'] === 'application/cloudevents+json') {
    const { specversion, type, data = null } = JSON.parse(body);
    return { version: specversion, type, data };
  }
  return {
    version: headers['ce-specversion'],
    type: decodeURIComponent(headers['ce-type']),
    data: body ? JSON.parse(body) : null,
  };
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString('utf8');
  const { headers } = request;
  let wrong;
  try {
    wrong = fault(body, headers);
  } catch (error) {
    wrong = String(error);
  }
  const finding = { path: request.url, id: headers['webhook-id'], ...eventOf(body, headers), wrong };
  appendFileSync(findings, `${JSON.stringify(finding)}\n`);
  response.writeHead(wrong ? 500 : 204).end();
});
server.listen(0, '127.0.0.1', () => {
  writeFileSync(`${portFile}.new`, String(server.address().port));
  renameSync(`${portFile}.new`, portFile);
});
