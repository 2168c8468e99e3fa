/** What the settings say of mail that comes to us: bounces, the mailbox they come to, and domains that mail is received for. */

import { domainRule, parseDomain } from '../core/domain.ts';
import { noticeKinds } from '../core/return-path.ts';
import type { Config } from './config.ts';
import { ImapUrlError, type MailboxServer, parseImapUrl } from './imap-url.ts';
import type { Settings } from './settings.ts';

/** Success notices are a mail for each mail: an operator who wants to know so much says so. */
export function bouncesOf(read: Settings): Pick<Config, 'bounceDomain' | 'bounceNotify'> {
  const text = read.optional('BOUNCE_DOMAIN');
  const bounceDomain = text === null ? null : parseDomain(text);
  if (text !== null && bounceDomain === null) read.refuse('BOUNCE_DOMAIN', `has "${text}". ${domainRule}`);
  const named = read.list('BOUNCE_NOTIFY').map((one) => one.toLowerCase());
  const bounceNotify = noticeKinds.filter((kind) => named.includes(kind));
  if (bounceNotify.length < new Set(named).size) {
    read.refuse('BOUNCE_NOTIFY', `takes ${noticeKinds.join(', ')}, not "${named.join(',')}".`);
  }
  return { bounceDomain, bounceNotify: named.length === 0 ? ['failure', 'delay'] : bounceNotify };
}

export function mailboxOf(read: Settings): MailboxServer | null {
  const text = read.optional('BOUNCE_IMAP_URL');
  if (text === null) return null;
  try {
    return parseImapUrl(text);
  } catch (error) {
    if (!(error instanceof ImapUrlError)) throw error;
    read.refuse('BOUNCE_IMAP_URL', error.message);
    return null;
  }
}

export function receivingOf(read: Settings): string[] {
  const named = read.list('RECEIVING_DOMAINS');
  const domains = named.map(parseDomain);
  const [wrong] = named.filter((_, index) => domains[index] === null);
  if (wrong !== undefined) read.refuse('RECEIVING_DOMAINS', `has "${wrong}". ${domainRule}`);
  const bounces = read.optional('BOUNCE_DOMAIN');
  if (bounces !== null && domains.includes(parseDomain(bounces))) {
    read.refuse(
      'RECEIVING_DOMAINS',
      `has ${bounces}, which is BOUNCE_DOMAIN: what comes there is about mail that was sent.`,
    );
  }
  return domains.filter((one) => one !== null);
}

export function pauseOf(read: Settings, name: 'PAUSE_AT_BOUNCES' | 'PAUSE_AT_COMPLAINTS'): Config['pauseAtBounces'] {
  const text = read.optional(name);
  if (text === null) return null;
  const [, percent, number] = /^(\d{1,2}(?:\.\d{1,3})?)%\/(\d{1,9})$/.exec(text.replaceAll(' ', '')) ?? [];
  if (Number(percent) > 0 && Number(number) > 0) return { share: Number(percent) / 100, number: Number(number) };
  read.refuse(name, `must be a share and a number, as 5%/100, not "${text}".`);
  return null;
}
