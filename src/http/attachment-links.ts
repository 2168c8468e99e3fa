/** Links to the files of an email that work without an API key, signed and for a while: SDKs hand them to browsers. */

import { createHmac, timingSafeEqual } from 'node:crypto';

export type AttachmentRef = { account: string; email: string; attachment: string };

export type AttachmentLinks = {
  create(ref: AttachmentRef): { downloadUrl: string; expiresAt: number };
  /** Null when the link was changed or has expired. */
  open(query: Record<string, string>): AttachmentRef | null;
};

export type LinkOptions = { secret: string; publicUrl: () => string; now: () => number; lifetimeMs: number };

export const downloadPath = '/download';

export function createAttachmentLinks({ secret, publicUrl, now, lifetimeMs }: LinkOptions): AttachmentLinks {
  /** Compared as text: in Base64 several last characters stand for the same bytes. */
  function sign(ref: AttachmentRef, expires: string): string {
    const text = JSON.stringify([ref.account, ref.email, ref.attachment, expires]);
    return createHmac('sha256', secret).update(text).digest('base64url');
  }

  return {
    create(ref) {
      const expiresAt = now() + lifetimeMs;
      const query = new URLSearchParams({
        ...ref,
        expires: String(expiresAt),
        signature: sign(ref, String(expiresAt)),
      });
      return { downloadUrl: `${publicUrl()}${downloadPath}?${query}`, expiresAt };
    },

    open({ account = '', email = '', attachment = '', expires = '', signature = '' }) {
      const ref = { account, email, attachment };
      const expected = Buffer.from(sign(ref, expires));
      const given = Buffer.from(signature);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
      return Number(expires) > now() ? ref : null;
    },
  };
}
