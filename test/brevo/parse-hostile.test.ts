/** Whatever JSON comes, it is parsed or refused: never another error, and never a message that could not be sent. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseMailbox } from '../../src/core/address.ts';
import { AppError } from '../../src/core/error.ts';
import { parseSend } from '../../src/http/brevo/parse.ts';
import { mail } from './brevo.ts';

const members = [
  'sender to cc bcc replyTo subject htmlContent textContent templateId params messageVersions attachment headers tags',
  'scheduledAt batchId email name id content url idempotencyKey contactPixelTrackingConsent __proto__ constructor',
].flatMap((names) => names.split(' '));

/** Texts that mean something to some member, and texts that mean harm. */
const text = fc.oneof(
  fc.constantFrom('ann@example.org', 'a.txt', 'YQ==', 'https://x.test/a.pdf', '2026-04-05T12:30:00+02:00', ''),
  fc.constantFrom('a@b.c\r\nBcc: x@y.z', 'A <a@b.c>', '\0', '\ud800', '{{ x', 'a.exe', '"', '\\', '<>'),
  fc.string({ unit: 'binary', maxLength: 100 }),
);
const anything = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(fc.constantFrom(...members), tie('value'), { maxKeys: 6 }),
})).value;

const now = Date.parse('2026-04-05T10:00:00Z');

describe('a hostile body', () => {
  it('is parsed or refused, and what is parsed can be sent', () => {
    let parsed = 0;
    const changed = fc.dictionary(fc.constantFrom(...members), anything, { maxKeys: 3 });
    fc.assert(
      fc.property(
        fc.oneof(
          changed.map((change) => mail(change)),
          anything,
        ),
        (body) => {
          try {
            // As it comes over the wire.
            const { sender, versions } = parseSend(JSON.parse(JSON.stringify(body) ?? 'null'), now);
            parsed += 1;
            for (const { to, cc, bcc, replyTo, headers, subject } of versions) {
              const people = [...to, ...cc, ...bcc, ...replyTo, ...(sender && 'from' in sender ? [sender.from] : [])];
              assert(to.length > 0 && people.every((one) => parseMailbox(one) !== null));
              for (const line of [subject ?? '', ...headers.flat()]) assert.doesNotMatch(line, /[\r\n\0]/);
            }
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
          }
        },
      ),
      { numRuns: 3_000 },
    );
    assert(parsed > 100, `only ${parsed} bodies were valid: the property says too little`);
  });
});
