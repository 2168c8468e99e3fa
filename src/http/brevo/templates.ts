/** /v3/smtp/templates: keeping templates, looking at them filled in, and sending a test of one. */

import assert from 'node:assert';
import { parseMailbox } from '../../core/address.ts';
import { AppError } from '../../core/error.ts';
import {
  findTemplate,
  listTemplates,
  measureTemplates,
  type StoredTemplate,
  type TemplateContent,
} from '../../store/templates.ts';
import { requestTo } from '../../use-cases/submission.ts';
import type { Templates } from '../../use-cases/templates.ts';
import { parseJson } from '../body.ts';
import type { Call, Reply } from '../call.ts';
import { wellFormed } from '../fields.ts';
import { testEndpoint } from './endpoints.ts';
import { checkTemplates, fillAll, scopeOf } from './fill.ts';
import { brevoLimits } from './limits.ts';
import { parseFlag, parsePage } from './parse-query.ts';
import {
  checkHtml,
  parseNewTemplate,
  parsePreview,
  parseTemplateChange,
  parseTemplateId,
  parseTestRecipients,
  type TemplateFields,
} from './parse-template.ts';
import { prepareMessages, resolveSender } from './prepare.ts';
import { invalid } from './refusal.ts';
import type { SendParts } from './send.ts';

export type TemplateParts = SendParts & { templates: Templates };

const done: Reply = { status: 204, body: null };

export async function create(parts: TemplateParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const { name, sender, subject, html, ...optional } = parseNewTemplate(parseJson(await call.body()));
  const written = await loadHtml(parts, html);
  await checkTemplates(parts.renderer.open(account), { subject, htmlContent: written });
  const template = {
    ...{ replyTo: null, toField: '', tag: '', attachmentUrl: null, isActive: false },
    ...withoutUndefined(optional),
    name,
    subject,
    sender: await nameSender(parts, account, sender),
    html: written,
  };
  const id = await parts.templates.make(account, template);
  return json(201, { id });
}

export async function list(parts: SendParts, call: Call): Promise<Reply> {
  const query = call.query();
  const limits = { limitDefault: brevoLimits.templatesPageDefault, limitMax: brevoLimits.templatesPageMax };
  const page = { ...parsePage(query, limits), isActive: parseFlag('templateStatus', query.templateStatus) };
  const { count, characters } = await measureTemplates(parts.database, call.caller.account, page);
  if (characters > brevoLimits.templatesPageCharsMax) {
    throw new AppError('out_of_range', 'This page would be too large: ask for fewer templates at once with `limit`');
  }
  const templates = await listTemplates(parts.database, call.caller.account, page);
  return json(200, { count, templates: templates.map(render) });
}

export async function show(parts: SendParts, call: Call): Promise<Reply> {
  const template = await getTemplate(parts, call, parseTemplateId(call.param('id')));
  return json(200, { ...render(template), doiTemplate: false });
}

export async function update(parts: TemplateParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const { id } = await getTemplate(parts, call, parseTemplateId(call.param('id')));
  const { sender, html, ...plain } = parseTemplateChange(parseJson(await call.body()));
  const written = html && (await loadHtml(parts, html));
  await checkTemplates(
    parts.renderer.open(account),
    withoutUndefined({ subject: plain.subject, htmlContent: written }),
  );
  const change = withoutUndefined({
    ...plain,
    sender: sender && (await nameSender(parts, account, sender)),
    html: written,
  });
  if (!(await parts.templates.change(account, id, change))) throw notFound();
  return done;
}

export async function remove(parts: TemplateParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const { id } = await getTemplate(parts, call, parseTemplateId(call.param('id')));
  const outcome = await parts.templates.remove(account, id);
  if (outcome === 'missing') throw notFound();
  if (outcome === 'active') {
    throw new AppError('method_not_allowed', 'An active template cannot be deleted: set isActive to false first.');
  }
  return done;
}

export async function preview(parts: SendParts, call: Call): Promise<Reply> {
  const { templateId, params, recipient } = parsePreview(parseJson(await call.body()));
  const template = await getTemplate(parts, call, templateId);
  const unfilled = {
    texts: { htmlContent: template.html, subject: template.subject },
    scope: scopeOf(params, recipient),
  };
  const [texts] = await fillAll(parts.renderer.open(call.caller.account), [unfilled]);
  const { htmlContent, subject } = texts?.() ?? {};
  return json(200, {
    html: htmlContent,
    subject,
    previewText: '',
    fromEmail: template.sender.email,
    fromName: template.sender.name,
    usedFeedNames: [],
  });
}

/** One email for each address, accepted like any other; a template need not be active for that. */
export async function sendTest(parts: TemplateParts, call: Call): Promise<Reply> {
  const { account } = call.caller;
  const { id } = await getTemplate(parts, call, parseTemplateId(call.param('id')));
  const body = await call.body();
  const json = parseJson(body);
  const versions = parseTestRecipients(json).map((to) => ({ ...blank, to: [to], templateId: id }));
  const request = requestTo(testEndpoint, call, { key: null, body, json });
  const found = await parts.accepting.lookUp(request);
  assert(found.kind === 'new', 'a request without a key repeats nothing');
  const options = { batchId: null, rendering: found.rendering, isTest: true };
  const messages = await prepareMessages(parts, account, { ...test, versions }, options);
  // Before they are accepted: afterwards nothing may fail any more, or a client would send them again.
  if (!(await parts.templates.markTestSent(account, id))) throw notFound();
  await parts.accepting.commit(found, Promise.resolve({ messages, answer: () => ({ status: 204, body: '' }) }));
  return done;
}

const test = { sender: null, isBatch: false, attachments: [], tags: [], schedule: null, isSandbox: false };
const blank = { cc: [], bcc: [], replyTo: [], subject: null, html: null, text: null, params: {}, headers: [] };

/** @throws AppError `not_found` for a number that is somebody else's, too, and for any name. */
async function getTemplate(parts: SendParts, call: Call, id: number | null): Promise<StoredTemplate> {
  const template = id === null ? null : await findTemplate(parts.database, call.caller.account, id);
  if (!template) throw notFound();
  return template;
}

function notFound(): AppError {
  return new AppError('not_found', 'Template ID not found');
}

async function nameSender(
  parts: SendParts,
  account: string,
  sender: NonNullable<TemplateFields['sender']>,
): Promise<TemplateContent['sender']> {
  const mailbox = parseMailbox(await resolveSender(parts, account, sender));
  const named = { name: mailbox?.name ?? '', email: mailbox?.address ?? '' };
  return 'id' in sender ? { ...named, id: sender.id } : named;
}

async function loadHtml(parts: SendParts, html: NonNullable<TemplateFields['html']>): Promise<string> {
  if ('content' in html) return html.content;
  const fetched = await parts.egress.fetchBytes(html.url, parts.remote);
  if (fetched.kind !== 'ok') throw invalid('htmlUrl', `it could not be fetched: ${fetched.message}`);
  return checkHtml(wellFormed(Buffer.from(fetched.bytes).toString('utf8')));
}

function withoutUndefined<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function render(template: StoredTemplate) {
  const { sender } = template;
  return {
    id: template.id,
    name: template.name,
    subject: template.subject,
    isActive: template.isActive,
    testSent: template.testSent,
    // A text, unlike everywhere else.
    sender: { name: sender.name, email: sender.email, ...(sender.id === undefined ? {} : { id: String(sender.id) }) },
    replyTo: template.replyTo ?? '',
    toField: template.toField,
    tag: template.tag,
    htmlContent: template.html,
    createdAt: new Date(template.createdAt).toISOString(),
    modifiedAt: new Date(template.modifiedAt).toISOString(),
  };
}

function json(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body) };
}
