/** Telling a range of time again. On its own, since ids made in one process never go back in time, but the clocks of tests do. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { send, stage, told } from './stage.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('an endpoint', () => {
  it('is told again what it was told in a range of time, page by page, and nothing else', async (t) => {
    const { server, receiver, webhook } = await stage(t, ['email.delivered']);
    const ids: string[] = [];
    for (let hours = 0; hours < 3; hours += 1) {
      ids.push(await send(server, { to: 'delivered@resend.dev' }));
      await told(server);
      server.clock.advance(hour);
    }
    const at = (hours: number) => new Date(server.clock.now() - hours * hour - 30 * minute).toISOString();
    const { json } = await server.call('POST', `/webhooks/${webhook.id}/replay`, { since: at(2), until: at(1) });
    assert.equal(json.replayed, 1);
    await told(server);
    assert.deepEqual(
      receiver.told.map((one) => one.json.data.email_id),
      [...ids, ids[1]],
    );
    const { json: rest } = await server.call('POST', `/webhooks/${webhook.id}/replay`, {
      after: receiver.told[1]?.headers['svix-id'],
    });
    assert.equal(rest.replayed, 1);
    for (const bad of [{ since: 'yesterday' }, { until: 5 }, { status: 'success' }, { after: 'x' }, []]) {
      assert.equal((await server.call('POST', `/webhooks/${webhook.id}/replay`, bad)).status, 422, JSON.stringify(bad));
    }
  });
});
