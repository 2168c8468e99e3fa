/** One account, for whoever runs the server: what it may use and has used, its domains, and why it waits. */

import { firstAccount, grantRule, type Limits, parseGrant } from '../../core/account.ts';
import { AppError } from '../../core/error.ts';
import { findUsed } from '../../store/account-counts.ts';
import { listGrants } from '../../store/account-domains.ts';
import { type Account, listAccounts } from '../../store/account-rules.ts';
import { findCameBack } from '../../store/pauses.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { Bytes, Count, Counted, Form, Notice, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';
import { requireOperator, Standing } from './accounts.tsx';

async function requireAccount(visit: Visit): Promise<Account> {
  requireOperator(visit);
  const name = visit.context.req.param('name') ?? '';
  const found = (await listAccounts(visit.parts.database)).find((one) => one.name === name);
  if (!found) throw new AppError('not_found', 'No account with this name.');
  return found;
}

const done: Record<string, string> = {
  made: 'Created. Allow it a domain, and make it a key: sendonce key create --account NAME.',
  enabled: 'Enabled. What waited goes out now.',
  disabled: 'Disabled. Its keys are refused, and its mail waits.',
  limits: 'Saved. Every process keeps to these limits within a second.',
  allowed: 'Allowed. It may send from this domain.',
  disallowed: 'Taken away. It may no longer send from this domain.',
};

export async function account(visit: Visit): Promise<Response> {
  const found = await requireAccount(visit);
  const { database, clock } = visit.parts;
  const used = await findUsed(database, found.name, clock.now());
  const grants = (await listGrants(database)).filter((grant) => grant.account === found.name);
  const said = done[visit.query.done ?? ''];
  return renderManaged(visit, {
    title: found.name,
    path: '/accounts',
    lead: <Standing account={found} />,
    content: (
      <>
        {said && <Notice tone="good">{said}</Notice>}
        <Why visit={visit} account={found} />
        <div class="columns">
          <section class="panel">
            <h2>Limits</h2>
            {used ? (
              <p class="muted">
                <Counted of={used.emailsToday} one="email" /> today, <Bytes of={used.storedBytes} /> stored
              </p>
            ) : (
              <p class="muted">Use is counted once there is a limit.</p>
            )}
            <LimitsForm visit={visit} account={found} />
          </section>
          <Domains visit={visit} account={found} domains={grants.map(({ domain }) => domain)} />
        </div>
        <Actions visit={visit} account={found} />
      </>
    ),
  });
}

/** Why its mail waits, and since when. */
async function Why({ visit: { parts }, account }: { visit: Visit; account: Account }) {
  if (account.disabledAt !== null) {
    return (
      <Notice tone="bad">
        Disabled by an operator since <Time at={account.disabledAt} />: its keys are refused, and its mail waits.
      </Notice>
    );
  }
  if (account.pausedAt === null) return null;
  const { handed, bounced, complained } = await findCameBack(parts.database, account.name, account.pausedAt);
  return (
    <Notice tone="warning">
      Paused since <Time at={account.pausedAt} />: of <Counted of={handed} one="recipient" /> handed to relays in that
      hour and the one before, <Count of={bounced} /> bounced and <Count of={complained} /> complained within the hour.
      Its mail waits until you enable it (<code>PAUSE_AT_BOUNCES</code>, <code>PAUSE_AT_COMPLAINTS</code>).
    </Notice>
  );
}

const limitFields: [field: keyof Limits, label: string][] = [
  ['requestsPerSecond', 'Requests a second'],
  ['emailsPerDay', 'Emails a day (UTC)'],
  ['storedBytesMax', 'Stored bytes'],
];

function LimitsForm({ visit, account }: { visit: Visit; account: Account }) {
  return (
    <Form visit={visit} action={`/dashboard/accounts/${account.name}/limits`} class="stack">
      {limitFields.map(([field, label]) => (
        <>
          <label for={field}>{label}</label>
          <input id={field} name={field} type="number" min={1} value={account[field] ?? ''} placeholder="no limit" />
        </>
      ))}
      <button type="submit" class="button">
        Save limits
      </button>
    </Form>
  );
}

function Domains({ visit, account: { name }, domains }: { visit: Visit; account: Account; domains: string[] }) {
  return (
    <section class="panel">
      <h2>Sender domains</h2>
      {domains.length === 0 && (
        <p class="muted">
          {name === firstAccount
            ? 'It may send from any domain that no other account has.'
            : 'None: it cannot send yet.'}
        </p>
      )}
      {domains.map((domain) => (
        <Form visit={visit} action={`/dashboard/accounts/${name}/disallow`} class="row spread">
          <code>{domain}</code>
          <input type="hidden" name="domain" value={domain} />
          <button type="submit" class="button quiet" aria-label={`Take away ${domain}`}>
            Take away
          </button>
        </Form>
      ))}
      <Form visit={visit} action={`/dashboard/accounts/${name}/allow`} class="row">
        <div>
          <label for="domain">Domain</label>
          <input id="domain" name="domain" required maxlength={255} placeholder="acme.com" spellcheck={false} />
        </div>
        <button type="submit" class="button">
          Allow
        </button>
      </Form>
    </section>
  );
}

function Actions({ visit, account: { name, disabledAt, pausedAt } }: { visit: Visit; account: Account }) {
  const isWaiting = disabledAt !== null || pausedAt !== null;
  return (
    <div class="row">
      {isWaiting && (
        <Form visit={visit} action={`/dashboard/accounts/${name}/enable`}>
          <button type="submit" class="button primary">
            {disabledAt === null ? 'Let it go on' : 'Enable'}
          </button>
        </Form>
      )}
      {disabledAt === null && name !== firstAccount && (
        <Form visit={visit} action={`/dashboard/accounts/${name}/disable`}>
          <button type="submit" class="button tone-bad">
            Disable
          </button>
        </Form>
      )}
    </div>
  );
}

export async function enableAccount(visit: Visit): Promise<Response> {
  const { name } = await requireAccount(visit);
  await visit.parts.use.accounts.enable(name);
  return redirect(`/dashboard/accounts/${name}?done=enabled`);
}

export async function disableAccount(visit: Visit): Promise<Response> {
  const { name } = await requireAccount(visit);
  if (name === firstAccount)
    throw new AppError('invalid_field', 'This would sign you out: use sendonce account disable.');
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Disable ${name}?`,
      at: '/suppressions',
      content: <p>Its keys are refused, and its mail and webhooks wait, until you enable it again. Nothing is lost.</p>,
      yes: 'Disable account',
      action: `/dashboard/accounts/${name}/disable`,
      fields: {},
      back: `/dashboard/accounts/${name}`,
    });
  }
  await visit.parts.use.accounts.disable(name);
  return redirect(`/dashboard/accounts/${name}?done=disabled`);
}

/** An empty field takes the limit away. */
export async function limitAccount(visit: Visit): Promise<Response> {
  const { name } = await requireAccount(visit);
  const limits: Partial<Limits> = {};
  for (const [field, label] of limitFields) {
    const text = (visit.form.get(field) ?? '').trim();
    const value = Number(text);
    if (text !== '' && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new AppError('invalid_field', `${label}: enter a whole number from 1, or nothing for no limit.`);
    }
    limits[field] = text === '' ? null : value;
  }
  await visit.parts.use.accounts.limit(name, limits);
  return redirect(`/dashboard/accounts/${name}?done=limits`);
}

export async function allowDomain(visit: Visit): Promise<Response> {
  const { name } = await requireAccount(visit);
  await visit.parts.use.accounts.allow(name, grantIn(visit));
  return redirect(`/dashboard/accounts/${name}?done=allowed`);
}

export async function disallowDomain(visit: Visit): Promise<Response> {
  const { name } = await requireAccount(visit);
  if (!(await visit.parts.use.accounts.disallow(name, grantIn(visit)))) {
    throw new AppError('not_found', 'The account does not have this domain any more.');
  }
  return redirect(`/dashboard/accounts/${name}?done=disallowed`);
}

function grantIn({ form }: Visit): string {
  const grant = parseGrant((form.get('domain') ?? '').trim());
  if (grant === null) throw new AppError('invalid_field', `It ${grantRule}.`);
  return grant;
}
