/** API keys of this account: made with a secret that is shown once, last used when, and revoked. */

import { AppError } from '../../core/error.ts';
import { type ApiKey, listKeysInUse } from '../../store/api-keys.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Copyable, Empty, Form, Notice, Pill, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

export function apiKeys(visit: Visit): Promise<Response> {
  return renderKeys(visit, null);
}

async function renderKeys(visit: Visit, made: string | null): Promise<Response> {
  const keys = await listKeysInUse(visit.parts.database, visit.session.account);
  return renderManaged(visit, {
    title: 'API keys',
    path: '/api-keys',
    lead: 'Each app should have a key of its own. Only hashes are stored. A key that is set as SENDONCE_API_KEY is not listed.',
    content: (
      <>
        {made !== null && (
          <Notice tone="good">
            <p>Created. Copy the key now: it is not shown again.</p>
            <Copyable text={made} label="the key" />
          </Notice>
        )}
        {visit.query.done === 'revoked' && <Notice tone="good">Revoked. Requests with this key are rejected.</Notice>}
        {keys.length === 0 && (
          <Empty title="No API keys">
            <p>Create one for each app, so that you can revoke one without stopping the others.</p>
          </Empty>
        )}
        {keys.length > 0 && (
          <section class="panel" aria-label="Keys">
            {keys.map((key) => (
              <KeyLine visit={visit} apiKey={key} />
            ))}
          </section>
        )}
        <Create visit={visit} />
      </>
    ),
  });
}

function KeyLine({ visit, apiKey }: { visit: Visit; apiKey: ApiKey }) {
  return (
    <div class="row spread">
      <div>
        <b>{apiKey.name}</b>{' '}
        <Pill tone={apiKey.permission === 'full_access' ? 'warning' : 'good'}>
          {apiKey.permission === 'full_access' ? 'full access' : 'sending only'}
        </Pill>{' '}
        {apiKey.domain !== null && <Pill tone="muted">{apiKey.domain}</Pill>}
        {apiKey.id === visit.session.keyId && <Pill tone="accent">you signed in with it</Pill>}
        <p class="muted small">
          Created <Time at={apiKey.createdAt} />, last used{' '}
          {apiKey.lastUsedAt === null ? 'never' : <Time at={apiKey.lastUsedAt} />}
        </p>
      </div>
      <Form visit={visit} action="/dashboard/api-keys/revoke">
        <input type="hidden" name="id" value={apiKey.id} />
        <button type="submit" class="button tone-bad" aria-label={`Revoke ${apiKey.name}`}>
          Revoke
        </button>
      </Form>
    </div>
  );
}

/** As the API has it. */
const nameCharsMax = 50;

function Create({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>Create a key</h2>
      <Form visit={visit} action="/dashboard/api-keys" class="row">
        <div>
          <label for="name">Name</label>
          <input id="name" name="name" type="text" required maxlength={nameCharsMax} placeholder="shop" />
        </div>
        <div>
          <label for="permission">Permission</label>
          <select id="permission" name="permission">
            <option value="sending_access">Sending only</option>
            <option value="full_access">Full access</option>
          </select>
        </div>
        <button type="submit" class="button primary">
          Create key
        </button>
      </Form>
    </section>
  );
}

/** The answer itself shows the secret: nothing else ever has it. */
export async function createKey(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const name = (form.get('name') ?? '').trim();
  const permission = form.get('permission');
  if (name === '' || name.length > nameCharsMax)
    throw new AppError('invalid_field', `Enter a name of at most ${nameCharsMax} characters.`);
  if (permission !== 'full_access' && permission !== 'sending_access') {
    throw new AppError('invalid_field', 'Choose a permission.');
  }
  const { token } = await parts.use.apiKeys.make({ account: session.account, name, permission });
  return renderKeys(visit, token);
}

export async function revokeKey(visit: Visit): Promise<Response> {
  const { parts, session, form } = visit;
  const id = form.get('id') ?? '';
  const key = (await listKeysInUse(parts.database, session.account)).find((one) => one.id === id);
  if (!key) throw new AppError('not_found', 'No key with this ID is in use.');
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Revoke “${key.name}”?`,
      at: '/suppressions',
      content: (
        <p>
          Requests with this key are rejected from now on. This cannot be undone.
          {key.id === session.keyId && ' You signed in with it: you are signed out, too.'}
        </p>
      ),
      yes: 'Revoke key',
      action: '/dashboard/api-keys/revoke',
      fields: { id },
      back: '/dashboard/api-keys',
    });
  }
  await parts.use.apiKeys.revoke(id, session.account);
  return redirect('/dashboard/api-keys?done=revoked');
}
