// An OpenID provider for tests. Its configuration is the JSON text in the variable PROVIDER.
// A person is a JSON object with the claims: the test posts it to the page of the log-in instead of a password.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { issuer, port, clients, modules, claimsInIdToken } = JSON.parse(process.env.PROVIDER);
const resolved = createRequire(`${modules}/`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(resolved));

const people = new Map();
const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const provider = new Provider(issuer, {
  clients,
  acrValues: ['urn:example:high'],
  jwks: { keys: [{ ...privateKey, use: 'sig' }] }, // the kid is the thumbprint
  cookies: { keys: ['tests'] },
  claims: {
    openid: ['sub', 'amr', 'acr'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name'],
    work: ['department', 'groups'],
  },
  scopes: ['openid', 'email', 'profile', 'work'],
  conformIdTokenClaims: !claimsInIdToken,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // without the dispatcher that refuses addresses of this machine
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...people.get(sub), sub }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile work');
    await grant.save();
    return grant;
  },
});

const read = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return text;
};

const serve = provider.callback();
createServer(async (request, response) => {
  if (request.url.startsWith('/interaction/') && request.method === 'POST') {
    const person = JSON.parse(await read(request));
    if (person === null) {
      return provider.interactionFinished(request, response, { error: 'access_denied' });
    }
    people.set(person.sub, person);
    const { sub: accountId, amr, acr } = person;
    return provider.interactionFinished(request, response, { login: { accountId, amr, acr } });
  }
  if (request.url.startsWith('/interaction/')) {
    return response.end('log in');
  }
  return serve(request, response);
}).listen(port, '127.0.0.1', () => console.log('ready'));
