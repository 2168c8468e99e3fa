/** Many clients at once under the same keys. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import { allEmails, assertSentOnce, serve } from '../support/served.ts';
import { message, testKey } from '../support/server.ts';

/** On the wire at once: all requests of 20 keys. The rest queue behind them; 2,000 sockets only make the client slow. */
const socketsMax = 400;

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into, member by member, by the assertions.
type Answer = { status: number | undefined; text: string; json: any; isReplay: boolean };

/** `times` requests under each of `keys` keys, all started together. Answers by key. */
async function storm(t: TestContext, url: string, keys: number, times: number, body: (key: number) => unknown) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: socketsMax });
  t.after(() => agent.destroy());
  const answers: Answer[][] = Array.from({ length: keys }, () => []);
  await Promise.all(
    Array.from({ length: keys * times }, async (_, index) => {
      const key = Math.floor(index / times);
      answers[key]?.push(await persist(() => post(agent, url, JSON.stringify(body(key)), `storm/${key}`)));
    }),
  );
  return answers;
}

/** Where the first answer takes longer than a duplicate waits for it, its client is told to come again, and does. */
async function persist(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.json.name !== 'concurrent_idempotent_requests') return answer;
  }
}

function post(agent: http.Agent, url: string, body: string, key: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${testKey}`, 'content-type': 'application/json', 'idempotency-key': key };
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent, headers }, async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      const isReplay = response.headers['idempotent-replayed'] === 'true';
      resolve({ status: response.statusCode, text, json: JSON.parse(text), isReplay });
    });
    request.on('error', reject).end(body);
  });
}

/** Every answer of a key is the same 200, and exactly one of them is no replay. */
function assertOneAnswerEach(answers: Answer[][]): void {
  for (const ofKey of answers) {
    for (const { status, text } of ofKey) assert.deepEqual([status, text], [200, ofKey[0]?.text]);
    assert.equal(ofKey.filter(({ isReplay }) => !isReplay).length, 1);
  }
}

describe('concurrent duplicates', () => {
  test('2,000 requests over 100 keys make 100 emails and 100 mails', async (t) => {
    const { server, sink } = await serve(t);
    const answers = await storm(t, `${server.url}/emails`, 100, 20, (key) => message({ subject: `storm ${key}` }));
    assertOneAnswerEach(answers);
    await assertSentOnce(
      server,
      sink,
      answers.map(([first]) => first?.json.id),
    );
    assert.equal((await allEmails(server)).length, 100);
  });

  test('2,000 batches of 3 over 100 keys make 300 emails and 300 mails', async (t) => {
    const { server, sink } = await serve(t);
    const answers = await storm(t, `${server.url}/emails/batch`, 100, 20, (key) =>
      [1, 2, 3].map((item) => message({ subject: `storm ${key} ${item}` })),
    );
    assertOneAnswerEach(answers);
    const ids = answers.flatMap(([first]) => first?.json.data.map(({ id }: { id: string }) => id));
    await assertSentOnce(server, sink, ids);
    assert.equal((await allEmails(server)).length, 300);
  });

  test('of two different requests under one key, one is accepted and the other refused', async (t) => {
    const { server, sink } = await serve(t);
    const ids = [];
    for (let round = 0; round < 50; round++) {
      const headers = { 'idempotency-key': `race/${round}` };
      const send = (subject: string) => server.call('POST', '/emails', message({ subject }), headers);
      const [one, other] = await Promise.all([send('one'), send('other')]);
      assert.deepEqual([one.status, other.status].sort(), [200, 409]);
      const refused = one.status === 409 ? one : other;
      assert.deepEqual(refused.json.different_fields, ['subject']);
      ids.push((one.status === 200 ? one : other).json.id);
    }
    await assertSentOnce(server, sink, ids);
  });
});
