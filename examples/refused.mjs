/** A refusal does not use the key up: the mended request goes out under the same key. Asking again without a change is no use. */

import assert from 'node:assert/strict';
import { Resend } from 'resend';
import { classify } from 'sendonce/client';

const resend = new Resend(process.env.RESEND_API_KEY);
const idempotencyKey = 'order-confirmation:3';
const email = { from: 'Shop <shop@example.com>', to: 'ann', subject: 'Your order 3 is confirmed', text: 'Thank you.' };

const refused = await resend.emails.send(email, { idempotencyKey });
assert.equal((await classify(refused)).outcome, 'refused');
console.log(`refused: ${refused.error.message}`);

const sent = await resend.emails.send({ ...email, to: 'ann@example.org' }, { idempotencyKey });
assert.equal((await classify(sent)).outcome, 'accepted');
console.log(`mended, and sent under the same key: ${sent.data.id}`);
