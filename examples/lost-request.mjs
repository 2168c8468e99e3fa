/** The first request never reached the server: the second one, under the same key, sends the email. */

import assert from 'node:assert/strict';
import { Resend } from 'resend';
import { retrying } from 'sendonce/client';
import { openLine } from './unreliable-line.mjs';

const line = await openLine({ loses: 'request' });
const resend = retrying(new Resend(process.env.RESEND_API_KEY, { baseUrl: line.url }));

const { data, error } = await resend.emails.send(
  { from: 'Shop <shop@example.com>', to: 'ann@example.org', subject: 'Your order 2 is confirmed', text: 'Thank you.' },
  { idempotencyKey: 'order-confirmation:2' },
);

assert.equal(error, null);
assert.equal(line.requests, 2);
console.log(`asked ${line.requests} times, since the first request was lost; one email was sent: ${data.id}`);
line.close();
