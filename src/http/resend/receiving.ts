/** /emails/receiving: mail that came for the account's domains, its files, and all of it as it came. */

import { AppError } from '../../core/error.ts';
import { readReceivedTextsIn } from '../../render/mail-reading.ts';
import { noTexts } from '../../render/read-received.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Reader } from '../../store/database.ts';
import {
  findReceivedBytes,
  findReceivedMail,
  listReceivedMails,
  type ReceivedMail,
} from '../../store/received-mails.ts';
import type { Call, Reply } from '../call.ts';
import { type AttachmentLinks, wholeMail } from '../links/attachment-links.ts';
import { refusalTexts } from './errors.ts';
import { invalidField } from './parse-fields.ts';
import { parseEmailId, parsePagination, sliceOf } from './parse-query.ts';
import { type AttachmentView, renderAttachment, renderAttachmentList } from './render.ts';
import { renderReceived, renderReceivedList } from './render-received.ts';

export type ReceivingParts = { database: Reader; links: AttachmentLinks; renderer: Pick<Renderer, 'open'> };

/** Without a limit the real API lists them all: so much of it is one answer here, and `has_more` says that there is more. */
const listedMax = 1_000;

export async function listReceived({ database }: ReceivingParts, call: Call): Promise<Reply> {
  const query = call.query();
  const page = { ...parsePagination(query), ...(query.limit ? {} : { limit: listedMax }) };
  const { mails, hasMore } = await listReceivedMails(database, call.caller.account, page);
  return ok(renderReceivedList(mails, hasMore));
}

export async function showReceived(parts: ReceivingParts, call: Call): Promise<Reply> {
  const pictures = parsePictures(call.query().html_format);
  const mail = await getReceived(parts, call);
  const { account } = call.caller;
  const bytes = await findReceivedBytes(parts.database, account, mail.id);
  if (!bytes) return ok(renderReceived({ mail, ...noTexts, raw: null }));
  const texts = await readReceivedTextsIn(parts.renderer.open(account), { mail: bytes, pictures });
  const raw = parts.links.create({ account, email: mail.id, attachment: wholeMail });
  return ok(renderReceived({ mail, ...texts, raw }));
}

export async function listReceivedFiles(parts: ReceivingParts, call: Call): Promise<Reply> {
  const page = parsePagination(call.query());
  const mail = await getReceived(parts, call);
  const { items, hasMore } = sliceOf(viewsOf(parts, call, mail), page);
  return ok(renderAttachmentList(items, hasMore));
}

export async function showReceivedFile(parts: ReceivingParts, call: Call): Promise<Reply> {
  const mail = await getReceived(parts, call);
  const wanted = call.param('attachment').toLowerCase();
  const found = viewsOf(parts, call, mail).find(({ id }) => id === wanted);
  if (!found) throw new AppError('not_found', refusalTexts.attachmentNotFound);
  return ok(renderAttachment(found));
}

async function getReceived({ database }: ReceivingParts, call: Call): Promise<ReceivedMail> {
  const mail = await findReceivedMail(database, call.caller.account, parseEmailId(call.param('id')));
  if (!mail) throw new AppError('not_found', refusalTexts.emailNotFound);
  return mail;
}

function viewsOf({ links }: ReceivingParts, call: Call, { id: email, files }: ReceivedMail): AttachmentView[] {
  const { account } = call.caller;
  return files.map((file) => ({ ...file, ...links.create({ account, email, attachment: file.id }) }));
}

function parsePictures(value = 'data_uri'): 'data_uri' | 'cid' {
  if (value === 'data_uri' || value === 'cid') return value;
  throw invalidField('html_format', 'It must be `data_uri` or `cid`.');
}

function ok(body: string): Reply {
  return { status: 200, body };
}
