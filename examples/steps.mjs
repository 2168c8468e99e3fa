/**
 * A step function in the manner of Inngest: when a step fails, the function begins again from the top, and steps that were done are not run
 * again. A step may have been done without this being recorded, so its send has a key: the run's id and the step's name.
 */

import assert from 'node:assert/strict';
import { Resend } from 'resend';
import { retrying } from 'sendonce/client';

const resend = retrying(new Resend(process.env.RESEND_API_KEY));
const ids = [];

async function welcome({ event, runId, step }) {
  const user = await step.run('load-user', () => ({ email: 'ann@example.org', name: event.name }));
  await step.run('send-welcome', async () => {
    const { data, error } = await resend.emails.send(
      { from: 'shop@example.com', to: user.email, subject: `Welcome, ${user.name}`, text: 'Hello.' },
      { idempotencyKey: `${runId}/send-welcome` },
    );
    if (error) throw new Error(error.message);
    ids.push(data.id);
  });
}

await runSteps(welcome, { event: { name: 'Ann' }, runId: 'welcome/user-17', unrecorded: 'send-welcome' });
assert.equal(ids.length, 2);
assert.equal(ids[0], ids[1]);
console.log(`the step ran ${ids.length} times, and one email was sent: ${ids[0]}`);

/** `unrecorded`: the step after which the process dies once, before the result is on the disk. */
async function runSteps(work, { event, runId, unrecorded }) {
  const done = new Map();
  let mayDie = true;
  const step = {
    async run(name, act) {
      if (done.has(name)) return done.get(name);
      const result = await act();
      if (name === unrecorded && mayDie) {
        mayDie = false;
        throw new Error('died');
      }
      done.set(name, result);
      return result;
    },
  };
  for (;;) {
    try {
      return await work({ event, runId, step });
    } catch (error) {
      if (error.message !== 'died') throw error;
    }
  }
}
