/** A mail that asks for one of the account's templates: what that makes of the params leaves, in place of what the client wrote as the body. */

import { parseMailbox } from '../../core/address.ts';
import type { Attachment, Message } from '../../core/email.ts';
import { AppError } from '../../core/error.ts';
import { readMailIn } from '../../render/mail-reading.ts';
import type { Made, Rendering } from '../../render/renderer.ts';
import type { Filled } from '../../render/template/fill.ts';
import { tooBusy } from '../../render/too-busy.ts';
import type { Reader } from '../../store/database.ts';
import { findTemplate, type StoredTemplate } from '../../store/templates.ts';
import { isSaidToUs, type ReadHeader, valuesOf } from './header.ts';
import { type Head, subjectOf } from './message.ts';

/** `params` as the header has them: a JSON object. */
export type TemplateAsked = { id: number; params: Readonly<Record<string, unknown>> };

/** Neither vendor documents a name: these are the ones that clients of Brevo's relay write. */
const idNames = ['x-mailin-template-id', 'x-mailin-template', 'x-sib-template-id', 'x-sib-template'];
const paramNames = ['x-mailin-params', 'x-mailin-parameters', 'x-mailin-parameter', 'x-sib-params', 'x-sib-parameters'];

/** What webhooks tell, and what becomes of a doubt. */
const isKept = /^(?:x-mailin-custom|sendonce-in-doubt)$/i;

const subjectCharsMax = 998;

/** Null: the mail leaves as it was written. @throws AppError */
export function readTemplateAsked(header: ReadHeader): TemplateAsked | null {
  const [id, ...otherIds] = idNames.flatMap((name) => valuesOf(header, name));
  const [params, ...otherParams] = paramNames.flatMap((name) => valuesOf(header, name));
  if (otherIds.length + otherParams.length > 0) throw refused('It names a template, or its params, twice.');
  if (id === undefined && params === undefined) return null;
  if (id === undefined) throw refused('It has params and no template: name one in X-Mailin-Template-Id.');
  if (!/^[1-9]\d{0,14}$/.test(id)) throw refused('X-Mailin-Template-Id takes the number of a template.');
  return { id: Number(id), params: paramsIn(params ?? '{}') };
}

function paramsIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const params: unknown = JSON.parse(text);
    if (typeof params === 'object' && params !== null && !Array.isArray(params))
      return params as Record<string, unknown>;
  } catch {}
  throw refused('X-Mailin-Params takes a JSON object, such as `{"name":"Ann"}`.');
}

type Written = { head: Head; header: ReadHeader; mail: Buffer; returnPath: string };
type Templated = Omit<Message, 'scheduledAt' | 'scheduledText'>;

/** Subject, sender and recipients are the mail's own; its files go along. @throws AppError */
export async function fillTemplate(
  { reader, account, rendering }: { reader: Reader; account: string; rendering: Rendering },
  { id, params }: TemplateAsked,
  { head, header, mail, returnPath }: Written,
): Promise<Templated> {
  const template = usable(await findTemplate(reader, account, id), id);
  const texts = { subject: subjectOf(header) || template.subject, htmlContent: template.html };
  const { address = '', name = '' } = parseMailbox(head.to[0] ?? head.bcc[0] ?? '') ?? {};
  const scope = { params, contact: { EMAIL: address, NAME: name } };
  const [subject = '', html = ''] = await fillAll(rendering, texts, scope);
  if (/[\r\n\0]/.test(subject) || subject.length > subjectCharsMax)
    throw refused(`The subject that it makes has line breaks, or more than ${subjectCharsMax} characters.`);
  return {
    ...head,
    subject,
    html,
    text: null,
    replyTo: head.replyTo.length === 0 && template.replyTo ? [template.replyTo] : head.replyTo,
    tags: head.tags.length === 0 && template.tag ? [{ name: template.tag, value: '' }] : head.tags,
    headers: head.headers.filter(([one]) => !isSaidToUs(one.toLowerCase()) || isKept.test(one)),
    topicId: null,
    templateId: id,
    attachments: await filesOf(rendering, mail),
    returnPath,
  };
}

function usable(found: StoredTemplate | null, id: number): StoredTemplate {
  if (!found) throw refused(`There is no template ${id}.`);
  if (!found.isActive) throw refused(`Template ${id} is not active: set isActive to true first.`);
  return found;
}

async function fillAll(
  rendering: Rendering,
  texts: Readonly<Partial<Record<Filled, string>>>,
  scope: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  const sources = (Object.entries(texts) as [Filled, string][]).map(([field, text]) => ({ field, text }));
  const input = { request: { versions: 1 }, sources, scope: JSON.stringify(scope) };
  return outcomeOf((await rendering.run('fill', [input]))[0]);
}

/** As they stood in the mail. */
async function filesOf(rendering: Rendering, mail: Buffer): Promise<Attachment[]> {
  const { files } = await readMailIn(rendering, mail);
  const made = await rendering.run(
    'mailFile',
    files.map((_, position) => ({ mail, position })),
  );
  return files.map(({ filename, contentType, contentId }, position) => {
    const content = outcomeOf(made[position]);
    if (!content) throw refused(`Its file ${filename} cannot be read.`);
    return { filename, contentType, contentId, content, path: null };
  });
}

function outcomeOf<T>(made: Made<T> | undefined): T {
  if (made?.kind === 'made') return made.value;
  if (made?.kind === 'refused') throw made.error;
  if (made?.reason === 'busy') throw tooBusy();
  throw new AppError(
    'invalid_template',
    'The template cannot be rendered: it takes too long, or makes too much of its params.',
  );
}

function refused(text: string): AppError {
  return new AppError('invalid_field', text);
}
