/** Links by which a reader leaves a topic or everything: signed, and good for as long as the mail is kept (RFC 8058). */

import { timingSafeEqual } from 'node:crypto';
import { parseMailbox } from '../../core/address.ts';
import type { Message } from '../../core/email.ts';
import type { Mac, Secrets } from '../../core/secrets.ts';

/** Whose link it is; `topic`: null where the mail belongs to none. */
export type Recipient = { account: string; address: string; topic: string | null };

export type PreferenceLinks = {
  create(of: Recipient): string;
  /** Null when the link was changed. */
  open(query: Readonly<Record<string, string>>): Recipient | null;
};

export const preferencesPath = '/unsubscribe';

export function createPreferenceLinks(secrets: Secrets, publicUrl: () => string): PreferenceLinks {
  const macs = secrets.macs('unsubscribe link');
  const sign = (mac: Mac, of: Recipient) => mac(JSON.stringify([of.account, of.address, of.topic]));

  return {
    create(of) {
      const named = { account: of.account, address: of.address, ...(of.topic === null ? {} : { topic: of.topic }) };
      const query = new URLSearchParams({ ...named, signature: sign(macs[0], of) });
      return `${publicUrl()}${preferencesPath}?${query}`;
    },

    open({ account = '', address = '', topic, signature = '' }) {
      const of = { account, address, topic: topic ?? null };
      const given = Buffer.from(signature);
      const isSigned = macs.some((mac) => {
        const expected = Buffer.from(sign(mac, of));
        return given.length === expected.length && timingSafeEqual(given, expected);
      });
      return isSigned ? of : null;
    },
  };
}

/** The header fields of mail that can be left with one click; an author's own stay. */
export function unsubscribeHeaders(link: string): Message['headers'] {
  return [
    ['List-Unsubscribe', `<${link}>`],
    ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
  ];
}

/** Mail to several people has no link that is one's own: null. */
export function onlyRecipient({ to, cc, bcc }: Pick<Message, 'to' | 'cc' | 'bcc'>): string | null {
  const [only = '', ...others] = [...to, ...cc, ...bcc];
  return others.length === 0 ? (parseMailbox(only)?.address ?? null) : null;
}
