/** Domains this account sends from: each record to put into DNS, to be copied, and whether it has been seen there. */

import { domainRule, parseDomain, type RecordKind, recordsOf } from '../../core/domain.ts';
import { AppError } from '../../core/error.ts';
import { type Domain, findDomain } from '../../store/domains.ts';
import { askFirst, isConfirmed } from '../frame/confirm.tsx';
import { renderManaged } from '../frame/manage.tsx';
import { CopyButton, Empty, Form, Notice, Pill, Time, type Tone } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import type { Visit } from '../frame/visit.ts';

export async function domains(visit: Visit): Promise<Response> {
  const all = await visit.parts.use.domains.list(visit.session.account);
  return renderManaged(visit, {
    title: 'Domains',
    path: '/domains',
    lead: 'Add a domain, put its records into DNS, and Sendonce signs its mail with DKIM as soon as it sees the key there.',
    content: (
      <>
        <Done what={visit.query.done} />
        {all.length === 0 && (
          <Empty title="No domains yet">
            <p>
              Add the domain that your From addresses use. This page then shows the records to put into DNS. Sending
              works without: your relay may sign for you.
            </p>
          </Empty>
        )}
        {all
          .toReversed()
          .slice(0, domainsShown)
          .map((domain) => (
            <DomainPanel visit={visit} domain={domain} />
          ))}
        {all.length > domainsShown && <p class="muted">The newest {domainsShown} are shown; the API lists all.</p>}
        <Add visit={visit} />
      </>
    ),
  });
}

const domainsShown = 50;

const done: Record<string, string> = {
  added: 'Added. Put these records into DNS.',
  asked: 'Looking for the records in DNS now.',
  removed: 'Removed. Its mail is not signed any more.',
};

function Done({ what = '' }: { what: string | undefined }) {
  const text = done[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

const toneOf = (status: string): Tone => {
  if (status === 'verified') return 'good';
  return status === 'failed' || status === 'temporary_failure' ? 'bad' : 'warning';
};

const labelOf: Record<RecordKind, string> = {
  dkim: 'DKIM',
  dkim_ed25519: 'DKIM (Ed25519)',
  spf: 'SPF',
  dmarc: 'DMARC',
};

function DomainPanel({ visit, domain }: { visit: Visit; domain: Domain }) {
  const records = recordsOf(domain.name, domain.keys, visit.parts.facts.spfSenders());
  return (
    <article class="panel">
      <div class="row spread">
        <h2>{domain.name}</h2>
        <Pill tone={toneOf(domain.status)}>{domain.status.replaceAll('_', ' ')}</Pill>
      </div>
      {records.map(({ kind, name, value }) => {
        const seen = domain.seen[kind] ?? 'not_started';
        return (
          <div class="stack">
            <p class="row">
              <b>{labelOf[kind]}</b>{' '}
              <Pill tone={toneOf(seen)}>{seen === 'verified' ? 'seen in DNS' : seen.replaceAll('_', ' ')}</Pill>{' '}
              <span class="muted">TXT</span> <code>{name}</code>{' '}
              <CopyButton text={name} label={`name of ${labelOf[kind]}`} word="name" />
              <CopyButton text={value} label={`value of ${labelOf[kind]}`} word="value" />
            </p>
            <pre class="wrap" tabindex={0}>
              <code>{value}</code>
            </pre>
          </div>
        );
      })}
      {domain.isOperators && <p class="muted small">It signs by DKIM_KEYS: the operator changes it there.</p>}
      {!domain.isOperators && <Actions visit={visit} domain={domain} />}
    </article>
  );
}

function Actions({ visit, domain }: { visit: Visit; domain: Domain }) {
  return (
    <div class="row">
      <p class="muted small">
        {domain.checkedAt === null ? (
          'Not checked yet.'
        ) : (
          <>
            Last checked <Time at={domain.checkedAt} />.
          </>
        )}
      </p>
      <Form visit={visit} action={`/dashboard/domains/${domain.id}/verify`}>
        <button type="submit" class="button">
          Check now
        </button>
      </Form>
      <Form visit={visit} action={`/dashboard/domains/${domain.id}/remove`}>
        <button type="submit" class="button quiet">
          Remove
        </button>
      </Form>
    </div>
  );
}

function Add({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>Add a domain</h2>
      <Form visit={visit} action="/dashboard/domains" class="row">
        <div>
          <label for="name">Domain</label>
          <input
            id="name"
            name="name"
            type="text"
            required
            maxlength={253}
            placeholder="example.com"
            spellcheck={false}
          />
        </div>
        <button type="submit" class="button primary">
          Add domain
        </button>
      </Form>
    </section>
  );
}

/** Mail leaves from here, wherever that is. */
const region = 'us-east-1';

export async function addDomain(visit: Visit): Promise<Response> {
  const name = parseDomain((visit.form.get('name') ?? '').trim());
  if (name === null) throw new AppError('invalid_field', domainRule);
  await visit.parts.use.domains.make(visit.session.account, name, region);
  return redirect('/dashboard/domains?done=added');
}

export async function verifyDomain(visit: Visit): Promise<Response> {
  if (!(await visit.parts.use.domains.verify(visit.session.account, idIn(visit)))) throw noDomain();
  return redirect('/dashboard/domains?done=asked');
}

export async function removeDomain(visit: Visit): Promise<Response> {
  const { parts, session } = visit;
  const id = idIn(visit);
  const domain = await findDomain(parts.database, session.account, { id });
  if (!domain) throw noDomain();
  if (!isConfirmed(visit)) {
    return askFirst(visit, {
      title: `Remove ${domain.name}?`,
      at: '/suppressions',
      content: <p>Its DKIM key is deleted: adding the domain again makes a new one, with a new record.</p>,
      yes: 'Remove domain',
      action: `/dashboard/domains/${id}/remove`,
      fields: {},
      back: '/dashboard/domains',
    });
  }
  await parts.use.domains.remove(session.account, id);
  return redirect('/dashboard/domains?done=removed');
}

function idIn({ context }: Visit): string {
  return (context.req.param('id') ?? '').toLowerCase();
}

function noDomain(): AppError {
  return new AppError('not_found', 'No domain with this ID.');
}
