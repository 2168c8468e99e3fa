/** A link that shows one email to whoever has it, for a while: what `share` answers with, and where it leads. */

import { timingSafeEqual } from 'node:crypto';
import { AppError } from '../../core/error.ts';
import type { Mac, Secrets } from '../../core/secrets.ts';
import type { Reader } from '../../store/database.ts';
import { findEmail } from '../../store/mail/emails.ts';
import { type AccountRules, isActive } from '../../use-cases/account-rules.ts';
import type { Door } from '../app.ts';

type Shared = { account: string; email: string };

export type ShareLinks = {
  create(of: Shared, expiresAt: number): string;
  /** Null when the link was changed or has expired. */
  open(query: Readonly<Record<string, string>>): Shared | null;
};

const sharedPath = '/shared';

export type ShareOptions = { secrets: Secrets; publicUrl: () => string; now: () => number };

export function createShareLinks({ secrets, publicUrl, now }: ShareOptions): ShareLinks {
  const macs = secrets.macs('shared email');
  const sign = (mac: Mac, { account, email }: Shared, expires: string) =>
    mac(JSON.stringify([account, email, expires]));
  return {
    create(of, expiresAt) {
      const expires = String(expiresAt);
      return `${publicUrl()}${sharedPath}?${new URLSearchParams({ ...of, expires, signature: sign(macs[0], of, expires) })}`;
    },
    open({ account = '', email = '', expires = '', signature = '' }) {
      const of = { account, email };
      const given = Buffer.from(signature);
      const isSigned = macs.some((mac) => {
        const expected = Buffer.from(sign(mac, of, expires));
        return given.length === expected.length && timingSafeEqual(given, expected);
      });
      return isSigned && Number(expires) > now() ? of : null;
    },
  };
}

export type SharedParts = { database: Reader; links: ShareLinks; rules: Pick<AccountRules, 'find'> };

export function sharedDoor({ database, links, rules }: SharedParts): Door {
  return (app) =>
    app.get(sharedPath, async (context) => {
      const of = links.open(context.req.query());
      const isOpen = of && isActive(await rules.find(of.account));
      const email = isOpen ? await findEmail(database, of.account, of.email) : null;
      if (!email) throw new AppError('not_found', 'This link has expired: ask for another one.');
      const isHtml = email.html !== null;
      return new Response(email.html ?? email.text ?? 'The contents of this email are not kept any more.\n', {
        headers: { ...headers, 'content-type': isHtml ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8' },
      });
    });
}

/** A stranger's html: no scripts, no forms, nobody's frame, an origin of its own. */
const headers = {
  'content-security-policy':
    "sandbox allow-popups; default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline' https:; font-src https: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};
