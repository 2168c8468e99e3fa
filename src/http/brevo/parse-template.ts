/** The bodies of the template routes: what to keep, what to preview, whom to send a test (docs/brevo.md). */

import { parseMailbox } from '../../core/address.ts';
import { isHttpUrl } from '../attachments.ts';
import { breaksLine, type Fields, isAbsent, isFields, wellFormed } from '../fields.ts';
import { brevoLimits } from './limits.ts';
import { parseSender, type SenderRef } from './parse-address.ts';
import { checkSubject, paramsBytes, parseParams } from './parse-fields.ts';
import { invalid, missing } from './refusal.ts';

/** Members are undefined where the request says nothing about them. */
export type TemplateFields = {
  name?: string;
  sender?: NonNullable<SenderRef>;
  subject?: string;
  /** As it is, or still behind its URL. */
  html?: { content: string } | { url: string };
  replyTo?: string | null;
  toField?: string;
  tag?: string;
  attachmentUrl?: string | null;
  isActive?: boolean;
};

/** A change of a template: each member may be left out. @throws AppError; whether it can be rendered is for others to find out */
export function parseTemplateChange(body: unknown): TemplateFields {
  const fields = parseBody(body);
  return {
    name: text(fields, 'templateName', brevoLimits.templateNameCharsMax) || undefined,
    sender: parseSender(fields.sender) ?? undefined,
    subject: parseSubject(fields.subject),
    html: parseHtml(fields),
    replyTo: parseReplyTo(fields.replyTo),
    toField: text(fields, 'toField', brevoLimits.templateNameCharsMax),
    tag: text(fields, 'tag', brevoLimits.tagCharsMax),
    attachmentUrl: parseUrl('attachmentUrl', fields.attachmentUrl),
    isActive: parseBoolean('isActive', fields.isActive),
  };
}

type NewTemplate = TemplateFields & Required<Pick<TemplateFields, 'name' | 'sender' | 'subject' | 'html'>>;

export function parseNewTemplate(body: unknown): NewTemplate {
  const { name, sender, subject, html, ...rest } = parseTemplateChange(body);
  if (sender === undefined) throw missing('sender');
  if (!name) throw missing('templateName');
  if (subject === undefined) throw missing('subject');
  if (html === undefined) throw missing('htmlContent');
  return { ...rest, name, sender, subject, html };
}

/** @throws AppError where it cannot be kept: too short or too long, or a template that cannot be rendered. */
export function checkHtml(html: string): string {
  const { templateHtmlCharsMin: min, templateHtmlCharsMax: max } = brevoLimits;
  if (html.length < min || html.length > max) throw invalid('htmlContent', `it must have ${min} to ${max} characters`);
  return html;
}

/** A number, or the name of a template: those are known to Brevo's SDKs, but nobody here has any. */
export function parseTemplateId(value: unknown): number | null {
  if (typeof value === 'string' && /^[A-Za-z][\w-]{0,63}$/.test(value)) return null;
  const id = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof id === 'number' && Number.isSafeInteger(id) && id > 0) return id;
  throw invalid('templateId', 'it must be a number');
}

export type Preview = { templateId: number | null; params: Fields; recipient: string };

export function parsePreview(body: unknown): Preview {
  const fields = parseBody(body);
  if (isAbsent(fields.templateId)) throw missing('templateId');
  const templateId = parseTemplateId(fields.templateId);
  const params = parseParams(fields.params);
  if (params === null && isAbsent(fields.email)) throw missing('email or params');
  if (params !== null) paramsBytes(params);
  return {
    templateId,
    params: params ?? {},
    recipient: isAbsent(fields.email) ? '' : parseEmail('email', fields.email),
  };
}

/** Whom to send a test. There is no test list here that could stand in for an empty one. */
export function parseTestRecipients(body: unknown): string[] {
  const { emailTo } = parseBody(body);
  if (isAbsent(emailTo) || (Array.isArray(emailTo) && emailTo.length === 0)) throw missing('emailTo');
  if (!Array.isArray(emailTo) || emailTo.length > brevoLimits.testRecipientsMax) {
    throw invalid('emailTo', `it must be an array of at most ${brevoLimits.testRecipientsMax} addresses`);
  }
  return emailTo.map((one) => parseEmail('emailTo', one));
}

function parseBody(body: unknown): Fields {
  if (body === undefined) return {};
  if (!isFields(body)) throw invalid('body', 'it must be a JSON object');
  return body;
}

function parseSubject(value: unknown): string | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value !== 'string') throw invalid('subject', 'it must be a string');
  return checkSubject(value);
}

function parseHtml(fields: Fields): TemplateFields['html'] {
  if (!isAbsent(fields.htmlContent)) {
    if (typeof fields.htmlContent !== 'string') throw invalid('htmlContent', 'it must be a string');
    return { content: checkHtml(wellFormed(fields.htmlContent)) };
  }
  const url = parseUrl('htmlUrl', fields.htmlUrl);
  return url ? { url } : undefined;
}

/** An empty one is the sender's own again. */
function parseReplyTo(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return undefined;
  return value === '' ? null : parseEmail('replyTo', value);
}

function parseUrl(field: string, value: unknown): string | null | undefined {
  if (value === undefined || value === null) return undefined;
  if (value === '') return null;
  if (typeof value === 'string' && isHttpUrl(value)) return value;
  throw invalid(field, 'it must be an absolute http or https URL');
}

function parseEmail(field: string, value: unknown): string {
  const mailbox = typeof value === 'string' && !/[<>]/.test(value) ? parseMailbox(value) : null;
  // Byte for byte what clients know.
  if (mailbox === null) throw invalid(`email`, '', ` in ${field}`);
  return mailbox.address;
}

function parseBoolean(field: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw invalid(field, 'it must be true or false');
  return value;
}

function text(fields: Fields, field: string, charsMax: number): string | undefined {
  const value = fields[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' || breaksLine(value)) throw invalid(field, 'it must be a string of one line');
  if (value.length > charsMax) throw invalid(field, `it must have at most ${charsMax} characters`);
  return wellFormed(value).trim();
}
