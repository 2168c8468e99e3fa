/**
 * A job queue in the manner of BullMQ: a job is tried again until its processor returns. The worker of this one dies once after it has sent
 * the email and before it has said so. The key comes from the job, and is therefore the same at each try.
 */

import assert from 'node:assert/strict';
import { Resend } from 'resend';
import { classify } from 'sendonce/client';

const resend = new Resend(process.env.RESEND_API_KEY);
const ids = [];

class UnrecoverableError extends Error {}

const queue = new Queue(async (job) => {
  const result = await resend.emails.send(job.data.email, { idempotencyKey: job.data.idempotencyKey });
  const { outcome } = await classify(result);
  if (outcome === 'refused' || outcome === 'conflict') throw new UnrecoverableError(result.error.message);
  if (outcome !== 'accepted') throw new Error(result.error.message);
  ids.push(result.data.id);
  if (job.attemptsMade === 0) throw new Error('the worker died before it could finish the job');
});

// The key is made where the business event happens, and kept in the job.
await queue.add(
  {
    idempotencyKey: 'order-confirmation:4',
    email: {
      from: 'shop@example.com',
      to: 'ann@example.org',
      subject: 'Your order 4 is confirmed',
      text: 'Thank you.',
    },
  },
  { attempts: 3, backoffMs: 100 },
);

assert.equal(ids.length, 2);
assert.equal(ids[0], ids[1]);
console.log(`the job ran ${ids.length} times, and one email was sent: ${ids[0]}`);

function Queue(process) {
  this.add = async (data, { attempts, backoffMs }) => {
    for (let attemptsMade = 0; attemptsMade < attempts; attemptsMade++) {
      try {
        return await process({ data, attemptsMade });
      } catch (error) {
        if (error instanceof UnrecoverableError || attemptsMade + 1 === attempts) throw error;
        await new Promise((resolve) => setTimeout(resolve, backoffMs * 2 ** attemptsMade));
      }
    }
  };
}
