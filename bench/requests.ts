/** Whole HTTP requests, built once: the generator only writes each one's key number into it. */

import { createMail, type Mail } from './mails.ts';

export const apiKey = 're_benchmark_key';

export type Requests = { requests: Uint8Array[]; digitsAt: number };

type MailOf = (variant: number) => Mail;

/** Different bodies, so that nothing profits from seeing the same one; few, so that they stay in the cache. */
const variants = 20;

/** Keys of different `name`s never meet. */
export function singleRequests(name: string, mailOf: MailOf): Requests {
  return build(name, '/emails', mailOf);
}

/** Of 100 mails each. */
export function batchRequests(name: string, variantCount = variants): Requests {
  return build(name, '/emails/batch', batchOf, variantCount);
}

/** The mails `from` to `from + count`, in requests of `size`, each to be sent once. */
export function scheduledBatches(
  name: string,
  { from, count, size, mailOf, at }: { from: number; count: number; size: number; mailOf: MailOf; at: Date },
): Requests {
  const scheduled_at = at.toISOString();
  const mails = (batch: number) =>
    Array.from({ length: size }, (_, index) => ({ ...mailOf(from + batch * size + index), scheduled_at }));
  return build(name, '/emails/batch', mails, count / size);
}

export function batchOf(variant: number) {
  return Array.from({ length: 100 }, (_, index) => createMail(variant * 100 + index));
}

/** Whose answers rest on nothing but what is stored. */
export function reads(path: string): Requests {
  const before = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-number: `;
  const request = `${before}000000000000\r\nauthorization: Bearer ${apiKey}\r\nuser-agent: sendonce-bench\r\n\r\n`;
  return { requests: [Buffer.from(request)], digitsAt: before.length };
}

function build(name: string, path: string, bodyOf: (variant: number) => unknown, count = variants): Requests {
  const before = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nidempotency-key: ${name}/`;
  const after = `authorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\nuser-agent: sendonce-bench\r\n`;
  const requests = Array.from({ length: count }, (_, variant) => {
    const body = JSON.stringify(bodyOf(variant));
    return Buffer.from(`${before}000000000000\r\n${after}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  return { requests, digitsAt: before.length };
}
