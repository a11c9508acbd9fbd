// A real OpenID provider (npm oidc-provider) with three people, for the login journey.
// usage: node oidc_provider.mjs PORT REDIRECT_URI [userinfo]   (userinfo: claims only at the userinfo endpoint)
import * as oidc from 'oidc-provider';

const [port, redirect, mode = 'token'] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = {
  ada: { name: 'Ada Admin', groups: ['admins'] },
  mo: { name: 'Mo Moderator', groups: ['moderators'] },
  noa: { name: 'Noa Moderator', groups: ['moderators'] },
  lea: { name: 'Lea Lead', groups: ['leads'] },
  gus: { name: 'Gus Guest', groups: [] },
};
const provider = new oidc.Provider(issuer, {
  clients: [{
    client_id: 'greenroom',
    client_secret: 'greenroom-secret-for-tests-only-0123456789',
    redirect_uris: [redirect],
    post_logout_redirect_uris: [redirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
  conformIdTokenClaims: mode === 'userinfo',
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  pkce: { required: () => false },
  cookies: { keys: ['for-tests-only'] },
  findAccount: (_, id) => people[id] && {
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.test`, email_verified: true, ...people[id] }),
  },
});
provider.on('server_error', (_, error) => console.error('server_error', error));
provider.on('authorization.error', (_, error) => console.error('authorization.error', error.error_description));
provider.listen(+port, '127.0.0.1', () => console.log('ready'));
