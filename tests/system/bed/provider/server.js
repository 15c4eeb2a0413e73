// SPDX-License-Identifier: Apache-2.0
// The token issuer of the agent's tests: oidc-provider with rotating refresh
// tokens and JWT access tokens (ES256) of a chosen life.
//
//   node server.js CONFIG   CONFIG: a JSON file, see ../provider.py
//
// Beside what oidc-provider answers:
//   POST /bed/grant     a first refresh token, as a login would give
//   POST /bed/settings  change lifetime_s, delay_ms, fail (see settings)
// Every answer of the token endpoint is one line of the file `log`.
import { AsyncLocalStorage } from 'node:async_hooks';
import { appendFileSync, readFileSync } from 'node:fs';
import https from 'node:https';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2]));
const settings = {
  lifetime_s: config.lifetime_s, // of access tokens
  delay_ms: 0, // before each answer of the token endpoint
  fail: '', // this error in place of a token
  whole_scopes: false, // no scope below one that was granted
};
const provider = new Provider(config.issuer, {
  clients: [{
    client_id: config.client_id,
    client_secret: config.client_secret,
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://localhost:8080'],
  }],
  jwks: { keys: config.keys },
  scopes: ['openid', 'offline_access'],
  cookies: { keys: ['of the test bed'] },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id }),
  }),
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // oidc-agent sends `audience`, which oidc-provider does not know.
      defaultResource: async () => config.audience,
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx) => ({
        scope: [config.scope, ...narrower(ctx)].join(' '),
        audience: config.audience,
        accessTokenTTL: settings.lifetime_s,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  ttl: {
    AccessToken: () => settings.lifetime_s,
    RefreshToken: () => 86400,
    Grant: () => 86400,
    Session: () => 86400,
    Interaction: () => 600,
    IdToken: () => 600,
    AuthorizationCode: () => 60,
  },
});

// Scopes of a request that lie below what was granted: "write:/a" where that is
// "write:/". Issuers of data give them; oidc-provider compares whole words.
const request = new AsyncLocalStorage();

function narrower(ctx) {
  if (settings.whole_scopes) return [];
  const granted = config.scope.split(' ');
  return [...ctx?.oidc?.requestParamScopes ?? []].filter((scope) =>
    !granted.includes(scope) && granted.some((wide) =>
      scope.startsWith(wide.endsWith('/') ? wide : wide + '/')));
}

function widen(prototype, name, add) {
  const { get, value } = Object.getOwnPropertyDescriptor(prototype, name);
  Object.defineProperty(prototype, name, get
    ? { get() { return add(get.call(this)); } }
    : { value(...words) { return add(value.apply(this, words)); } });
}

function holder(prototype, name) {
  return Object.hasOwn(prototype, name)
    ? prototype : holder(Object.getPrototypeOf(prototype), name);
}

widen(holder(provider.RefreshToken.prototype, 'scopes'), 'scopes',
  (scopes) => new Set([...scopes, ...narrower(request.getStore())]));
widen(provider.Grant.prototype, 'getResourceScope',
  (scope) => [scope, ...narrower(request.getStore())].join(' '));

function log(entry) {
  appendFileSync(config.log,
    JSON.stringify({ time: Date.now() / 1000, ...entry }) + '\n');
}

async function body(req) {
  let text = '';
  for await (const piece of req) {
    text += piece;
    if (text.length > 65536) throw new Error('too long');
  }
  return text;
}

// What a person's login and consent would end in.
async function grant() {
  const client = await provider.Client.find(config.client_id);
  const grant = new provider.Grant({
    accountId: 'ada', clientId: config.client_id,
  });
  grant.addOIDCScope('openid offline_access');
  grant.addResourceScope(config.audience, config.scope);
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: 'ada',
    client,
    grantId,
    gty: 'authorization_code',
    resource: config.audience,
    scope: 'openid offline_access ' + config.scope,
    authTime: Math.floor(Date.now() / 1000),
    rotations: 0,
  });
  return token.save();
}

const bed = {
  '/bed/grant': async () => ({ refresh_token: await grant() }),
  '/bed/settings': async (req) => Object.assign(settings,
    JSON.parse(await body(req))),
};

provider.use(async (ctx, next) => {
  if (ctx.path !== '/token') return next();
  if (settings.delay_ms) {
    await new Promise((done) => setTimeout(done, settings.delay_ms));
  }
  if (settings.fail) {
    ctx.status = 400;
    ctx.body = { error: settings.fail, error_description: 'as told' };
  } else {
    await request.run(ctx, next);
  }
  log({
    status: ctx.status,
    scope: ctx.oidc?.params?.scope ?? null,
    error: ctx.body?.error ?? null,
    expires_in: ctx.body?.expires_in ?? null,
  });
  return undefined;
});

const answer = provider.callback();
https.createServer({
  cert: readFileSync(config.cert),
  key: readFileSync(config.key),
}, (req, res) => {
  if (!bed[req.url]) {
    answer(req, res);
    return;
  }
  bed[req.url](req).then((value) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(value));
  }).catch((error) => {
    res.statusCode = 500;
    res.end(String(error?.stack ?? error));
  });
}).listen(config.port, '127.0.0.1');
