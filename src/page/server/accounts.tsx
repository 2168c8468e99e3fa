/** The list of accounts, for whoever runs the server, and making one. */

import { accountNameRule, firstAccount, isAccountName, type Limits } from '../../core/account.ts';
import { AppError } from '../../core/error.ts';
import { type Account, listAccounts } from '../../store/account-rules.ts';
import { renderManaged } from '../frame/manage.tsx';
import { Form, Notice, Pill, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

/** @throws AppError `first_account_only` */
export function requireOperator({ session }: Visit): void {
  if (session.account === firstAccount) return;
  throw new AppError('first_account_only', `This page is shown to the account ${firstAccount} only.`);
}

export async function accounts(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const all = await listAccounts(visit.parts.database);
  return renderManaged(visit, {
    title: 'Accounts',
    path: '/accounts',
    lead: 'Each account has keys, emails, domains and webhooks of its own, and sees no other’s.',
    content: (
      <>
        {visit.query.done === 'deleted' && <Notice tone="good">Deleted. Its keys are revoked.</Notice>}
        <section class="panel flush" aria-label="Accounts">
          <ol class="rows">
            <li class="heads" aria-hidden="true">
              <span>Name</span>
              <span>State</span>
              <span>Limits</span>
              <span>Created</span>
            </li>
            {all.map((account) => (
              <li>
                <a href={`/dashboard/accounts/${account.name}`} data-row>
                  <span>{account.name}</span>
                  <Standing account={account} />
                  <span class="muted">{limitsText(account)}</span>
                  <span class="muted small">
                    <Time at={account.createdAt} style="short" />
                  </span>
                </a>
              </li>
            ))}
          </ol>
        </section>
        <Create visit={visit} />
      </>
    ),
  });
}

export function Standing({ account }: { account: Account }) {
  if (account.disabledAt !== null) return <Pill tone="bad">disabled</Pill>;
  return account.pausedAt === null ? <Pill tone="good">active</Pill> : <Pill tone="warning">paused</Pill>;
}

function limitsText({ requestsPerSecond, emailsPerDay, storedBytesMax }: Limits): string {
  const parts = [
    requestsPerSecond === null ? null : `${requestsPerSecond.toLocaleString('en-US')} requests a second`,
    emailsPerDay === null ? null : `${emailsPerDay.toLocaleString('en-US')} emails a day`,
    storedBytesMax === null ? null : `${storedBytesMax.toLocaleString('en-US')} bytes stored`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? 'no limits' : parts.join(', ');
}

function Create({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>Create an account</h2>
      <Form visit={visit} action="/dashboard/accounts" class="row">
        <div>
          <label for="name">Name</label>
          <input id="name" name="name" required maxlength={63} placeholder="shop" spellcheck={false} />
        </div>
        <button type="submit" class="button primary">
          Create account
        </button>
      </Form>
    </section>
  );
}

export async function makeAccount(visit: Visit): Promise<Response> {
  requireOperator(visit);
  const name = (visit.form.get('name') ?? '').trim();
  if (!isAccountName(name)) throw new AppError('invalid_field', `The name ${accountNameRule}.`);
  await visit.parts.use.accounts.make(name);
  return redirect(`/dashboard/accounts/${name}?done=made`);
}
