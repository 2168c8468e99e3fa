/** A mail inside the page: rendered in a sandbox, as text, as its source, with its headers and files. */

import { parseMailbox } from '../../core/address.ts';
import { senderAddress } from '../../core/envelope.ts';
import { AppError } from '../../core/error.ts';
import { joined, type Pieces, sizeOf, startOf } from '../../core/pieces.ts';
import { isUuid } from '../../core/token.ts';
import { downloadHeaders } from '../../http/links/download.ts';
import { makeTextParts } from '../../render/text-parts.ts';
import { listAttachments } from '../../store/mail/attachments.ts';
import { findEmail, type StoredEmail } from '../../store/mail/emails.ts';
import { mailHeaders } from '../frame/headers.ts';
import { Bytes, Pill } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';

export type View = 'html' | 'phone' | 'text' | 'headers' | 'source' | 'files';

const views: View[] = ['html', 'phone', 'text', 'headers', 'source', 'files'];

const names: Record<View, string> = {
  html: 'HTML',
  phone: 'Phone',
  text: 'Text',
  headers: 'Headers',
  source: 'Source',
  files: 'Files',
};

/** @throws AppError `not_found`, also for what another account has. */
export async function requireEmail({ context, parts, session }: Visit): Promise<StoredEmail> {
  const id = (context.req.param('id') ?? '').toLowerCase();
  const email = isUuid(id) ? await findEmail(parts.database, session.account, id) : null;
  if (!email) throw new AppError('not_found', 'No email with this ID.');
  if (email.madeText !== null || email.raw) return email;
  // An older version has accepted it, or it needs none.
  const [madeText = null] = await makeTextParts(parts.renderer.open(session.account), [email]);
  return { ...email, madeText };
}

export function viewOf(query: Visit['query'], email: StoredEmail): View {
  return views.find((one) => one === query.view) ?? (email.html === null ? 'text' : 'html');
}

/** Shown at most: what is longer is downloaded. */
const sourceBytesMax = 300_000;

export async function MailView({ visit, email, base }: { visit: Visit; email: StoredEmail; base: string }) {
  const view = viewOf(visit.query, email);
  const isRemote = visit.query.remote === '1';
  const isFramed = view === 'html' || view === 'phone';
  return (
    <section class="panel flush" aria-label="Content">
      <div class="row spread">
        <nav aria-label="Views">
          {views.map((one) => (
            <a href={`${base}?view=${one}`} {...(one === view ? { 'aria-current': 'true' as const } : {})}>
              {names[one]}
            </a>
          ))}
        </nav>
        <span class="row">
          {isFramed && !email.purged && email.html !== null && (
            <a class="button quiet" href={`${base}?view=${view}${isRemote ? '' : '&remote=1'}`}>
              {isRemote ? 'Block remote images' : 'Load remote images'}
            </a>
          )}
          {!email.purged && (
            <a class="button quiet" href={`/dashboard/emails/${email.id}/eml`}>
              Download .eml
            </a>
          )}
        </span>
      </div>
      {email.purged ? (
        <p class="muted">The contents have been deleted. The delivery log is kept.</p>
      ) : (
        <Content visit={visit} email={email} view={view} isRemote={isRemote} />
      )}
    </section>
  );
}

async function Content({
  visit,
  email,
  view,
  isRemote,
}: {
  visit: Visit;
  email: StoredEmail;
  view: View;
  isRemote: boolean;
}) {
  switch (view) {
    case 'html':
    case 'phone':
      if (email.html === null) return <p class="muted">This email has no HTML part.</p>;
      return (
        <iframe
          class={view === 'phone' ? 'phone' : ''}
          title="The email as recipients see it"
          sandbox="allow-popups allow-popups-to-escape-sandbox"
          loading="lazy"
          data-keep={`mail-${view}-${isRemote}`}
          src={`/dashboard/emails/${email.id}/html${isRemote ? '?remote=1' : ''}`}
        />
      );
    case 'text':
      return <TextPart email={email} />;
    case 'headers':
      return <Headers visit={visit} email={email} />;
    case 'source':
      return <Source visit={visit} email={email} />;
    case 'files':
      return <Files visit={visit} email={email} />;
    default:
      return view satisfies never;
  }
}

type Shown = { visit: Visit; email: StoredEmail };

async function Source({ visit, email }: Shown) {
  const { text, isWhole } = await sourceOf(visit, email);
  return (
    <pre class="wrap" tabindex={0}>
      <code>
        {text}
        {!isWhole && '\n\n… the rest is in the download.'}
      </code>
    </pre>
  );
}

function TextPart({ email }: { email: StoredEmail }) {
  if (email.text === '') return <p class="muted">The sender asked for no text part.</p>;
  if (email.text !== null) return <Text of={email.text} />;
  if (email.raw) return <p class="muted">There is no text part: it leaves as its author wrote it.</p>;
  // As composing does it: what recipients who read text get.
  const made = email.madeText ?? '';
  if (made === '') {
    return <p class="muted">There is no text part: the HTML has no words, or takes too long to convert.</p>;
  }
  return (
    <>
      <p class="muted">Generated from the HTML, since the request had no text.</p>
      <Text of={made} />
    </>
  );
}

function Text({ of: text }: { of: string }) {
  return (
    <pre class="wrap" tabindex={0}>
      {text}
    </pre>
  );
}

/** The very bytes a relay is handed: composing is a pure function of the stored email. */
async function piecesOf({ parts }: Pick<Visit, 'parts'>, email: StoredEmail): Promise<Pieces> {
  const domain = senderAddress(email).split('@').pop() ?? '';
  const { whole } = await parts.facts.compose(email, await parts.facts.signerFor(email.account, domain));
  return whole.pieces;
}

async function sourceOf(visit: Visit, email: StoredEmail): Promise<{ text: string; isWhole: boolean }> {
  const pieces = await piecesOf(visit, email);
  const text = startOf(pieces, sourceBytesMax).toString();
  return { text, isWhole: sizeOf(pieces) <= sourceBytesMax };
}

async function Headers({ visit, email }: Shown) {
  const { text: source } = await sourceOf(visit, email);
  const head = source.slice(0, source.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  const fields = head
    .split('\r\n')
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  return (
    <dl class="facts">
      {fields.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>
            <code>{value}</code>
          </dd>
        </>
      ))}
    </dl>
  );
}

async function Files({ visit, email }: { visit: Visit; email: StoredEmail }) {
  const { parts, session } = visit;
  const files = await listAttachments(parts.database, session.account, email.id);
  if (files.length === 0) return <p class="muted">No attachments.</p>;
  return (
    <ul class="rows">
      {files.map((file) => (
        <li>
          <a href={fileLink(visit, email.id, file.id)}>
            <span>{file.filename}</span>
            <Pill tone="muted">{file.contentId ? 'inline' : 'attached'}</Pill>
            <span class="muted">{file.contentType}</span>
            <span class="muted small">
              <Bytes of={file.sizeBytes} />
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** The signed link's path and query: on whatever address the page is open. */
function fileLink({ parts, session }: Pick<Visit, 'parts' | 'session'>, email: string, attachment: string): string {
  const { downloadUrl } = parts.links.create({ account: session.account, email, attachment });
  const url = new URL(downloadUrl);
  return `${url.pathname}${url.search}`;
}

/** What the frame shows. Its files are fetched by signed links: a sandboxed frame brings no cookies. */
export async function mailHtml(visit: Visit): Promise<Response> {
  const email = await requireEmail(visit);
  if (email.html === null) throw new AppError('not_found', 'This email has no HTML part.');
  const files = await listAttachments(visit.parts.database, visit.session.account, email.id);
  const links = new Map(files.map((file) => [file.contentId, fileLink(visit, email.id, file.id)]));
  const html = email.html.replace(/\bcid:([^"'\s)>]+)/gi, (whole, id: string) => links.get(decode(id)) ?? whole);
  return framed(html, visit.query.remote === '1');
}

/** A document for a sandboxed frame. Before anything of its own: links open elsewhere, whatever it says. */
export function framed(html: string, isRemote: boolean): Response {
  const body = `<!doctype html><meta charset="utf-8"><base target="_blank">${html.replace(/^\s*<!doctype[^>]*>/i, '')}`;
  return new Response(body, { headers: mailHeaders(isRemote) });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export async function mailEml(visit: Visit): Promise<Response> {
  const email = await requireEmail(visit);
  if (email.purged) throw new AppError('not_found', 'The contents of this email have been deleted.');
  const pieces = await piecesOf(visit, email);
  return new Response(new Uint8Array(joined(pieces)), {
    headers: downloadHeaders('message/rfc822', `${email.id}.eml`),
  });
}

/** A person's name, or the address where there is none. */
export function shownName(text: string): string {
  const mailbox = parseMailbox(text);
  return mailbox?.name || (mailbox?.address ?? text);
}
