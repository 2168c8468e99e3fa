/** A message as if it were stored: for tests of what compares with it. */

import type { Message } from '../../src/core/email.ts';
import type { EmailToCompare } from '../../src/store/mail/email-to-compare.ts';

export function stored({ html, text, attachments, ...message }: Message): EmailToCompare {
  const bodies = { html, text };
  const infos = attachments.map((file, index) => ({ ...file, id: String(index), sizeBytes: file.content.length }));
  return {
    ...message,
    attachments: infos,
    isBody: async (name, written) => bodies[name] === written,
    isFile: async ({ id }, content) =>
      Buffer.compare(attachments[Number(id)]?.content ?? Buffer.alloc(0), content) === 0,
  };
}
