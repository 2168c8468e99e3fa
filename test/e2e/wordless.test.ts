/** A mail that ends its process each time it is tried, and mail that was only beside it, or waited for a relay, when a process was killed. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onlyOnSqlite } from '../support/engine.ts';
import { hangs } from '../support/hanging.ts';
import { message, testKey } from '../support/server.ts';
import { createTemp } from '../support/temp.ts';

const script = fileURLToPath(new URL('./hanging-server.js', import.meta.url));

const fifteenSeconds = onlyOnSqlite(
  'a death is noticed after fifteen seconds there: test/postgres/wordless.test.ts moves the clock instead',
);

describe('a mail whose process never says what came of it', fifteenSeconds, () => {
  it('is tried three times, the last time alone, then held with the reason, while other mail goes on', async (t) => {
    const world = createWorld(t);
    const first = await world.start('read');
    const bad = await send(first, hangs);
    await standsStill(first);
    for (let deaths = 1; deaths < 3; deaths += 1) await standsStill(await world.start('read'));
    const last = await world.start('read');
    const good = await send(last, 'ordinary');
    await until(async () => (await lastEvent(last, good)) === 'sent');
    const [held, ...others] = (await call(last, 'GET', '/in-doubt')).data;
    assert.equal(others.length, 0);
    assert.equal(held.email_id ?? held.id, bad);
    assert.match(JSON.stringify(held), /3 attempts ended without a word, the last one made alone/);
    await kill(last);
  });

  it('would be tried for ever if attempts were not counted (control)', async (t) => {
    const world = createWorld(t);
    const first = await world.start('read', 'orphaned');
    await send(first, hangs);
    await standsStill(first);
    for (let deaths = 0; deaths < 3; deaths += 1) await standsStill(await world.start('read', 'orphaned'));
  });

  it('is not held for what a relay does that is silent, however often the server is killed meanwhile', async (t) => {
    const world = createWorld(t);
    const ids = await killWhileSilent(world, 4);
    const well = await world.start('well');
    for (const id of ids) await until(async () => (await lastEvent(well, id)) === 'sent');
    assert.deepEqual((await call(well, 'GET', '/in-doubt')).data, []);
    await kill(well);
  });

  it('would be held for it if it were not written down that it has been composed (control)', async (t) => {
    const world = createWorld(t);
    // One mail, so that each kill comes when it has been composed: twice beside others, once alone.
    await killWhileSilent(world, 3, { mails: 1, control: 'composed_alone' });
    const well = await world.start('well');
    assert.notEqual((await call(well, 'GET', '/in-doubt')).data.length, 0);
    await kill(well);
  });
});

async function killWhileSilent(
  world: World,
  deaths: number,
  { mails = 3, control }: { mails?: number; control?: string } = {},
): Promise<string[]> {
  const ids: string[] = [];
  for (let starts = 0; starts < deaths; starts += 1) {
    const server = await world.start('silent', ...(control ? [control] : []));
    for (let each = ids.length; each < mails; each += 1) ids.push(await send(server, `${hangs} ${each}`));
    await server.said('waits');
    await kill(server);
  }
  return ids;
}

type World = ReturnType<typeof createWorld>;
type Server = { url: string; child: ChildProcess; said(line: string): Promise<void> };

function createWorld(t: TestContext) {
  const temp = createTemp();
  const children: ChildProcess[] = [];
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
    temp.remove();
  });
  return {
    async start(...words: string[]): Promise<Server> {
      const env = {
        PATH: process.env.PATH ?? '',
        PORT: '0',
        DATABASE_URL: `sqlite:${temp.path('test.db')}`,
        SENDONCE_API_KEY: testKey,
        LOG_LEVEL: 'silent',
      };
      const child = spawn(process.execPath, [script, ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      const lines = listen(child);
      return {
        url: await lines.first(/^http/),
        child,
        said: async (line) => void (await lines.first(new RegExp(`^${line}$`))),
      };
    },
  };
}

/** What a process prints, line by line. */
function listen(child: ChildProcess) {
  const lines: string[] = [];
  let wake = () => {};
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  return {
    async first(pattern: RegExp): Promise<string> {
      for (;;) {
        const found = lines.find((line) => pattern.test(line));
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

async function standsStill(server: Server): Promise<void> {
  await server.said('stands still');
  await kill(server);
}

function kill({ child }: Server): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

// biome-ignore lint/suspicious/noExplicitAny: replies are looked into by the assertions.
async function call(server: Server, method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${testKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

async function send(server: Server, subject: string): Promise<string> {
  return (await call(server, 'POST', '/emails', message({ subject }))).id;
}

async function lastEvent(server: Server, id: string): Promise<string> {
  return (await call(server, 'GET', `/emails/${id}`)).last_event;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; !(await condition()); looks += 1) {
    if (looks > 3_000) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
