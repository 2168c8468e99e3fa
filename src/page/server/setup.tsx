/** From nothing to the first mail: the address, code to paste, a test send, and what the relay still needs. */

import { randomUUID } from 'node:crypto';
import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import { countOpenOf, findOldestDue, findRelaySigns } from '../../store/page/overview.ts';
import { renderPage } from '../frame/frame.tsx';
import { Copyable, CopyButton, Form, PageHead, Pill } from '../frame/pieces.tsx';
import { sendNow } from '../frame/send.ts';
import { redirect } from '../frame/sign-in.tsx';
import { isCapture, type Visit } from '../frame/visit.ts';
import { RelayHealth } from './relay-health.tsx';
import { snippets } from './snippets.ts';

export async function setup(visit: Visit): Promise<Response> {
  const { parts, session, query } = visit;
  const chosen = snippets[query.lang ?? ''] ? (query.lang ?? 'node') : 'node';
  const signs = await findRelaySigns(parts.database, session.account);
  const open = await countOpenOf(parts.database, session.account);
  const oldestDue = await findOldestDue(parts.database, session.account);
  return renderPage(visit, {
    title: 'Setup',
    at: '/setup',
    content: (
      <>
        <PageHead title="Setup">
          <p class="muted">
            Three steps: point your SDK here, send yourself a test email, and configure a relay when you go live.
          </p>
        </PageHead>
        <section class="panel">
          <h2>1. Point your SDK here</h2>
          <Address visit={visit} />
          <Code chosen={chosen} url={parts.facts.publicUrl()} />
        </section>
        <TestSend visit={visit} />
        <div class="columns">
          <RelayHealth visit={visit} signs={signs} open={open} oldestDue={oldestDue} />
          <NextThing visit={visit} />
        </div>
      </>
    ),
  });
}

function Address({ visit }: { visit: Visit }) {
  const url = visit.parts.facts.publicUrl();
  return (
    <dl class="facts">
      <dt>Base URL, Resend</dt>
      <dd>
        <Copyable text={url} label="the base URL" />
      </dd>
      <dt>Base URL, Brevo</dt>
      <dd>
        <Copyable text={`${url}/v3`} label="the base URL for Brevo" />
      </dd>
      <dt>API key</dt>
      <dd>
        <code>{visit.session.maskedKey}</code>{' '}
        <span class="muted">the one you signed in with. Only a hash of it is stored.</span>
      </dd>
    </dl>
  );
}

function Code({ chosen, url }: { chosen: string; url: string }) {
  const snippet = snippets[chosen];
  if (!snippet) return null;
  const code = snippet.code(url);
  return (
    <>
      <nav aria-label="Language" id="code">
        {Object.entries(snippets).map(([key, { name }]) => (
          <a
            href={`/dashboard/setup?lang=${key}#code`}
            {...(key === chosen ? { 'aria-current': 'true' as const } : {})}
          >
            {name}
          </a>
        ))}
      </nav>
      <div class="row spread">
        <p class="muted">{snippet.note}</p>
        <CopyButton text={code} label="the code" />
      </div>
      <pre tabindex={0}>
        <code>{code}</code>
      </pre>
    </>
  );
}

function TestSend({ visit }: { visit: Visit }) {
  return (
    <section class="panel">
      <h2>2. Send yourself a test email</h2>
      <Form visit={visit} action="/dashboard/setup/test" class="row">
        <input type="hidden" name="key" value={randomUUID()} />
        <div>
          <label for="from">From</label>
          <input id="from" name="from" type="text" value="Acme <onboarding@resend.dev>" required maxlength={300} />
        </div>
        <div>
          <label for="to">To</label>
          <input id="to" name="to" type="email" placeholder="you@example.com" required maxlength={254} />
        </div>
        <button type="submit" class="button primary">
          Send test
        </button>
      </Form>
      <p class="muted small">
        {isCapture(visit.parts)
          ? 'It is captured and shown in the inbox. Double-clicking is safe.'
          : 'This sends a real email. Double-clicking is safe.'}
      </p>
    </section>
  );
}

function NextThing({ visit }: { visit: Visit }) {
  const { parts } = visit;
  const isLocal = /^https?:\/\/(127\.|localhost|\[::1\])/.test(parts.facts.publicUrl());
  const things: [isDone: boolean, text: string, how: string][] = [
    [
      parts.facts.durable,
      'Responses are written to disk before they are returned',
      'Writes are not synced: this is a test server.',
    ],
    [!isCapture(parts), 'SMTP relay configured', 'RELAY_URL=smtp://user:password@smtp.example.com:587 npm start'],
    [
      !isLocal,
      'Reachable from other machines',
      'HOST=0.0.0.0 PUBLIC_URL=https://mail.example.com npm start, behind TLS',
    ],
    [
      parts.facts.retentionDays !== null,
      'Message contents are deleted after a while',
      'RETENTION_DAYS=30 deletes message contents after 30 days and keeps their delivery logs',
    ],
  ];
  return (
    <section class="panel">
      <h2>3. Go-live checklist</h2>
      <ul class="stack">
        {things.map(([isDone, text, how]) => (
          <li>
            <p class="row">
              <b>{text}</b>
              <Pill tone={isDone ? 'good' : 'muted'}>{isDone ? 'done' : 'to do'}</Pill>
            </p>
            {!isDone && <code>{how}</code>}
          </li>
        ))}
      </ul>
      <p class="muted small">
        <code>sendonce doctor</code> checks settings, database and relay, and tells you what to fix.
      </p>
    </section>
  );
}

export async function testSend(visit: Visit): Promise<Response> {
  const from = (visit.form.get('from') ?? '').trim();
  const to = (visit.form.get('to') ?? '').trim();
  if (!parseMailbox(from)) throw new AppError('invalid_field', 'From must be an address, or Name <address>.');
  if (!parseMailbox(to)) throw new AppError('invalid_field', 'To must be one address.');
  const id = await sendNow(visit, {
    from,
    to: [to],
    cc: [],
    bcc: [],
    replyTo: [],
    subject: 'A test from Sendonce',
    html: '<h1>It works!</h1><p>This email was sent from the setup page. Its history shows how it got here.</p>',
    text: null,
    headers: [],
    tags: [],
    topicId: null,
    attachments: [],
    scheduledText: null,
    scheduledAt: null,
  });
  return redirect(`/dashboard/emails/${id}`);
}
