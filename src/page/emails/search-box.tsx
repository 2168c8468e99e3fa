/** The search over emails, and the filters below it, each with how many emails it would show. */

import { firstAccount } from '../../core/account.ts';
import { listAccounts } from '../../store/account-rules.ts';
import { countedMax, countTerms } from '../../store/page/search-index.ts';
import { searchStates } from '../../store/page/search-query.ts';
import type { Visit } from '../frame/visit.ts';
import { type Filters, isFiltered } from './filters.ts';
import { accountOf } from './found-emails.ts';

export function SearchBox({ visit, filters }: { visit: Visit; filters: Filters }) {
  const isOpen = isFiltered({ ...filters, q: '' });
  return (
    <search class="stack">
      <form class="stack" action="/dashboard/emails" data-keep="search">
        <div class="row">
          <input
            type="search"
            name="q"
            value={filters.q}
            aria-label="Search emails"
            placeholder="Recipient, subject, ID, Message-ID, tag: or is:"
            autocomplete="off"
            maxlength={300}
          />
          <button type="submit" class="button primary">
            Search
          </button>
        </div>
        <details open={isOpen}>
          <summary>Filters</summary>
          <Fields visit={visit} filters={filters} />
        </details>
      </form>
      <p class="row muted small">
        {ways.map(([example, meaning]) => (
          <span>
            <a href={`/dashboard/emails?q=${encodeURIComponent(example)}`}>{example}</a> {meaning}
          </span>
        ))}
        <span class="needs-script keyboard">
          <kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> move <kbd>?</kbd> all keys
        </span>
      </p>
    </search>
  );
}

const ways: [example: string, meaning: string][] = [
  ['ann@example.com', 'recipient (prefix)'],
  ['invoice may', 'subject words'],
  ['from:shop@', 'sender (prefix)'],
  ['is:bounced', 'status'],
  ['tag:kind=welcome', 'tag'],
];

type Counted = { name: string; emails: number };

async function Fields({ visit, filters }: { visit: Visit; filters: Filters }) {
  const { database } = visit.parts;
  const account = accountOf(visit, filters);
  const states = new Map((await countTerms(database, account, 'is:')).map(({ name, emails }) => [name, emails]));
  const isForeign = account !== visit.session.account;
  const senders = isForeign ? [] : await countTerms(database, account, 'from:');
  const relays = await countTerms(database, account, 'via:');
  const { status, to, sender, relay, tag, from, until } = filters;
  const isFirst = visit.session.account === firstAccount;
  return (
    <div class="row">
      <Choice
        name="status"
        label="Status"
        value={status}
        of={searchStates.map((name) => ({ name, emails: states.get(name) ?? 0 }))}
      />
      {!isForeign && (
        <>
          <Field name="to" label="Recipient" value={to} placeholder="ann@" />
          <Field name="sender" label="Sender" value={sender} placeholder="shop@" list="senders" />
          <datalist id="senders">
            {senders.map((one) => (
              <option value={one.name}>{withCount(one)}</option>
            ))}
          </datalist>
          <Field name="tag" label="Tag" value={tag} placeholder="kind=welcome" />
        </>
      )}
      <Choice name="relay" label="Relay" value={relay} of={relays} />
      <Field name="from" label="From (UTC)" value={from} type="date" />
      <Field name="until" label="Until (UTC)" value={until} type="date" />
      {isFirst && <AccountChoice visit={visit} value={account} />}
      {isFiltered(filters) && <a href="/dashboard/emails">Clear</a>}
    </div>
  );
}

async function AccountChoice({ visit, value }: { visit: Visit; value: string }) {
  const accounts = await listAccounts(visit.parts.database);
  if (accounts.length < 2) return null;
  return (
    <div>
      <label for="account">Account</label>
      <select id="account" name="account">
        {accounts.map(({ name }) => (
          <option value={name === firstAccount ? '' : name} selected={name === value}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

type ChoiceOptions = { name: string; label: string; value: string; of: Counted[] };

function Choice({ name, label, value, of }: ChoiceOptions) {
  const isKnown = value === '' || of.some((one) => one.name === value);
  const all = isKnown ? of : [...of, { name: value, emails: 0 }];
  return (
    <div>
      <label for={name}>{label}</label>
      <select id={name} name={name}>
        <option value="">Any</option>
        {all.map((one) => (
          <option value={one.name} selected={one.name === value}>
            {withCount(one)}
          </option>
        ))}
      </select>
    </div>
  );
}

function withCount({ name, emails }: Counted): string {
  const count = emails > countedMax ? `${countedMax.toLocaleString('en-US')}+` : emails.toLocaleString('en-US');
  return `${name.replaceAll('_', ' ')} (${count})`;
}

type FieldOptions = {
  name: string;
  label: string;
  value: string;
  placeholder?: string;
  type?: string;
  list?: string;
};

function Field({ name, label, value, placeholder = '', type = 'text', list }: FieldOptions) {
  return (
    <div>
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        type={type}
        value={value}
        placeholder={placeholder}
        {...(list === undefined ? {} : { list })}
        autocomplete="off"
        maxlength={300}
      />
    </div>
  );
}
