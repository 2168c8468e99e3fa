/** Links to the files of an email that work without an API key, signed and for a while: SDKs hand them to browsers. */

import { timingSafeEqual } from 'node:crypto';
import type { Mac, Secrets } from '../../core/secrets.ts';

export type AttachmentRef = { account: string; email: string; attachment: string };

export type AttachmentLinks = {
  create(ref: AttachmentRef): { downloadUrl: string; expiresAt: number };
  /** Null when the link was changed or has expired. */
  open(query: Record<string, string>): AttachmentRef | null;
};

export type LinkOptions = { secrets: Secrets; publicUrl: () => string; now: () => number; lifetimeMs: number };

export const downloadPath = '/download';

/** In place of an attachment: all of a mail that came, as it came. */
export const wholeMail = 'raw';

export function createAttachmentLinks({ secrets, publicUrl, now, lifetimeMs }: LinkOptions): AttachmentLinks {
  const macs = secrets.macs('attachment link');

  function sign(mac: Mac, ref: AttachmentRef, expires: string): string {
    return mac(JSON.stringify([ref.account, ref.email, ref.attachment, expires]));
  }

  function isSigned(ref: AttachmentRef, expires: string, signature: string): boolean {
    const given = Buffer.from(signature);
    return macs.some((mac) => {
      const expected = Buffer.from(sign(mac, ref, expires));
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  return {
    create(ref) {
      const expiresAt = now() + lifetimeMs;
      const query = new URLSearchParams({
        ...ref,
        expires: String(expiresAt),
        signature: sign(macs[0], ref, String(expiresAt)),
      });
      return { downloadUrl: `${publicUrl()}${downloadPath}?${query}`, expiresAt };
    },

    open({ account = '', email = '', attachment = '', expires = '', signature = '' }) {
      const ref = { account, email, attachment };
      if (!isSigned(ref, expires, signature)) return null;
      return Number(expires) > now() ? ref : null;
    },
  };
}
