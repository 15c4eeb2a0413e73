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
import { appendFileSync, readFileSync } from 'node:fs';
import https from 'node:https';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2]));
const settings = {
  lifetime_s: config.lifetime_s, // of access tokens
  delay_ms: 0, // before each answer of the token endpoint
  fail: '', // this error in place of a token
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
      getResourceServerInfo: async () => ({
        scope: config.scope,
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
    await next();
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
