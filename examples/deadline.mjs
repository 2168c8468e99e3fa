/**
 * A serverless function has a time limit, and its platform starts it again for the same event. `deadlineMs` ends the tries before the
 * platform would, and the next run asks under the same key, which comes from the event.
 */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Resend } from 'resend';
import { retrying } from 'sendonce/client';

const limitMs = 2_000;

async function onOrderPaid(event, baseUrl) {
  const resend = retrying(new Resend(process.env.RESEND_API_KEY, { baseUrl }), { deadlineMs: limitMs / 2 });
  const { data, error } = await resend.emails.send(
    { from: 'shop@example.com', to: event.email, subject: `Your order ${event.order} is paid`, text: 'Thank you.' },
    { idempotencyKey: `order-paid:${event.order}` },
  );
  if (error) throw new Error(error.message);
  return data.id;
}

const event = { order: 5, email: 'ann@example.org' };
const silent = createServer(() => {}).listen(0, '127.0.0.1');
await new Promise((resolve) => silent.once('listening', resolve));

const startedAt = performance.now();
await assert.rejects(onOrderPaid(event, `http://127.0.0.1:${silent.address().port}`));
assert(performance.now() - startedAt < limitMs);
console.log('first run: no answer within the deadline; the function ended by itself and failed');
silent.close();
silent.closeAllConnections();

console.log(`second run, same event: one email was sent: ${await onOrderPaid(event, process.env.RESEND_BASE_URL)}`);
