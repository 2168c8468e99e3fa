/** The programs in `examples/`, as a reader runs them: each against a real server, in a folder where the package is installed. */

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createFaults } from '../src/chaos/faults.ts';
import { startChaos } from '../src/chaos/proxy.ts';
import { type OutboxProgram, outboxPrograms } from './support/outbox-programs.ts';
import { startTestServer, type TestServer, testKey } from './support/server.ts';
import { createTemp } from './support/temp.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const scenarios = readdirSync(join(root, 'examples')).filter(
  (name) => name.endsWith('.mjs') && name !== 'unreliable-line.mjs',
);

describe('an example', () => {
  const temp = createTemp();
  const folder = temp.path('examples');
  let server: TestServer;

  before(async () => {
    cpSync(join(root, 'examples'), folder, { recursive: true });
    install(folder);
    server = await startTestServer();
  });
  after(async () => {
    await server.stop();
    temp.remove();
  });

  async function run(
    command: string,
    words: string[],
    url = server.url,
    more: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    const env = { ...process.env, ...more, RESEND_BASE_URL: url, RESEND_API_KEY: testKey };
    return (await promisify(execFile)(command, words, { cwd: folder, env })).stdout;
  }

  it('is in the list of all of them', () => {
    assert.deepEqual(scenarios.toSorted(), [
      'deadline.mjs',
      'lost-answer.mjs',
      'lost-request.mjs',
      'queue.mjs',
      'refused.mjs',
      'steps.mjs',
    ]);
  });

  for (const name of scenarios) {
    it(`does what it says: ${name}`, async () => {
      const said = await run(process.execPath, [name]);
      const [id] = /[\w-]{36}/.exec(said) ?? [];
      assert(id, said);
    });
  }

  for (const program of outboxPrograms) {
    const { name, command, words, env } = program;
    const skip = whyNot(program) ?? false;
    it(`sends each order's email once through a line that loses answers: the outbox in ${name}`, { skip }, async () => {
      const rates = { 'lose-requests': 0.2, 'lose-answers': 0.4, 'bad-gateways': 0.1 };
      const none = { 'cut-answers': 0, repeats: 0, delays: 0 };
      const faults = createFaults({ ...rates, ...none }, 7);
      const chaos = await startChaos({ upstream: new URL(server.url), host: '127.0.0.1', port: 0, faults, delayMs: 1 });
      try {
        const file = join(folder, `${name}.db`);
        for (const order of ['1', '2', '3']) await run(command, [...words, file, `${name}-${order}`], chaos.url, env);
        // Nothing is left to do, and an order that is there already is not sent again.
        await run(command, [...words, file, `${name}-3`], chaos.url, env);
        const { requests, operations, once, twice } = chaos.tally();
        assert.deepEqual([operations, once, twice], [3, 3, 0]);
        assert(requests > 3, 'the line has lost nothing');
      } finally {
        await chaos.stop();
      }
    });
  }
});

function whyNot({ command, probe, env, isSlow }: OutboxProgram): string | null {
  if (isSlow && process.env.EXAMPLES !== 'all') return 'NOT CHECKED here, since it compiles for a minute: EXAMPLES=all';
  const { status } = spawnSync(command, probe, { env: { ...process.env, ...env } });
  return status === 0 ? null : `NOT CHECKED: ${command}, or its driver for SQLite, is not on this machine`;
}

/** What `npm install sendonce resend better-sqlite3` makes, of the code that is tested. */
function install(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'sendonce'), { recursive: true });
  const exports = { './client': './build/client/client.js' };
  writeFileSync(
    join(modules, 'sendonce', 'package.json'),
    JSON.stringify({ name: 'sendonce', type: 'module', exports }),
  );
  symlinkSync(join(root, 'build', 'src'), join(modules, 'sendonce', 'build'));
  for (const name of ['resend', 'better-sqlite3']) symlinkSync(join(root, 'node_modules', name), join(modules, name));
}
