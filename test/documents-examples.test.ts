/** Examples of the documents as a test: commands are understood and run, files are read, programs work, and what is named is there. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { account } from '../src/command/account.ts';
import { backup, restore } from '../src/command/backup.ts';
import { key } from '../src/command/key.ts';
import { queue } from '../src/command/queue.ts';
import { CommandError } from '../src/command/terminal.ts';
import { UsageError, usageOf } from '../src/command/usage.ts';
import { readConfig } from '../src/config/config.ts';
import { settingNames } from '../src/config/settings.ts';
import { startTestServer, type TestServer, testKey } from './support/server.ts';
import { createTemp } from './support/temp.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const blocksOf = (text: string, language = '\\w*') =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code = '']) => code);

/** Lines that call the program, without what explains them: behind two spaces, or a #. */
function callsIn(text: string): string[] {
  return blocksOf(text)
    .flatMap((block) => block.split('\n'))
    .map((line) => /^(?:[A-Z_]+=\S+ )*(?:sendonce|node dist\/main\.js) ([a-z].*)$/.exec(line)?.[1])
    .flatMap((call) => (call === undefined ? [] : [(call.split(/ {2,}|\s#/)[0] ?? '').replace(/ &$/, '').trim()]));
}

const flagNames = new Set([
  ...settingNames.map((name) => name.toLowerCase().replaceAll('_', '-')),
  ...[...read('src/main.ts').matchAll(/^ {2}'?([a-z-]+)'?(?:,|: \{)/gm)].map(([, name = '']) => name),
  ...[...read('src/main.ts').matchAll(/^ {2}'([a-z-]+)',/gm)].map(([, name = '']) => name),
]);

function problemsOf(call: string): string[] {
  const [command = '', ...rest] = call.split(/\s+/);
  const flags = rest.flatMap((word) => /^--([a-z-]+)/.exec(word)?.[1] ?? []);
  const strange = flags.filter((flag) => !flagNames.has(flag)).map((flag) => `--${flag}`);
  try {
    usageOf(command);
    return strange;
  } catch {
    return [command, ...strange];
  }
}

describe('commands in documents', () => {
  for (const page of pages) {
    const calls = callsIn(read(page)).filter((call) => !call.startsWith('unix -'));
    if (calls.length === 0) continue;
    it(`${page}: each is there, and so are its flags`, () => {
      assert.deepEqual(
        calls.flatMap((call) => problemsOf(call).map((problem) => `${problem}: ${call}`)),
        [],
      );
    });
  }

  it('that are not there are noticed (control)', () => {
    assert.deepEqual(problemsOf('qeue settle all sent'), ['qeue']);
    assert.deepEqual(problemsOf('chaos --upstreem http://127.0.0.1:1'), ['--upstreem']);
  });

  it('name tests and scripts that exist', () => {
    const named = pages.flatMap((page) => [...read(page).matchAll(/\bbuild\/((?:test|bench)\/[\w./*-]+)\.js\b/g)]);
    assert.ok(named.length > 10);
    const missing = named.filter(([, path = '']) =>
      path.includes('*')
        ? !existsSync(join(root, path.replace(/\/[^/]*$/, '')))
        : !existsSync(join(root, `${path}.ts`)),
    );
    assert.deepEqual(
      missing.map(([whole]) => whole),
      [],
    );
  });
});

describe('docs/operations.md', () => {
  const temp = createTemp();
  after(() => temp.remove());

  it('its commands for accounts, keys, backups and what is in doubt run one after the other, as printed', async (t) => {
    t.mock.method(console, 'log', () => {});
    t.mock.method(console, 'error', () => {});
    const config = readConfig({ DATABASE_URL: `sqlite:${temp.path('own.db')}`, STATE_DIR: temp.path('.') });
    const calls = callsIn(read('docs/operations.md')).filter((call) =>
      /^(?:account|key|queue|backup|restore) ?/.test(call),
    );
    assert.ok(calls.length >= 12, calls.join('\n'));
    // The first two make the database that the others look into.
    for (const commands of [/^(?:account|key)/, /^queue/, /^(?:backup|restore)/]) {
      for (const call of calls.filter((one) => commands.test(one))) await runCall(call);
    }

    async function runCall(call: string): Promise<void> {
      const words = call
        .replaceAll('FILE', temp.path('copy.db'))
        .replace(/\b(\w[\w-]*)(?:\|[\w-]+)+/, '$1')
        .split(/\s+/);
      const [command = '', ...rest] = words;
      const operands: string[] = [];
      const flags: Record<string, string> = {};
      for (let at = 0; at < rest.length; at++) {
        const word = rest[at] ?? '';
        if (word.startsWith('--')) flags[word.slice(2)] = rest[++at] ?? '';
        else if (/^[a-z]/i.test(word) || word.includes('/')) operands.push(word);
      }
      try {
        if (command === 'account') await account(config, operands, flags);
        if (command === 'key') await key(config, operands, flags);
        if (command === 'queue') await queue(config, operands);
        if (command === 'backup') await backup(config, operands, { force: true });
        if (command === 'restore') await restore(config, operands, { force: true });
      } catch (error) {
        // Nothing is in doubt here, EMAIL is none, and no server has served the copy: that is said, and the words are understood.
        assert.ok(error instanceof CommandError && !(error instanceof UsageError), `${call}: ${error}`);
        assert.match(call, /EMAIL|delete|restore/, `${call}: ${error}`);
      }
    }
  });
});

describe('docs/relays.md', () => {
  const temp = createTemp();
  after(() => temp.remove());

  it('its files of relays are read without a complaint', () => {
    const blocks = blocksOf(read('docs/relays.md'), 'toml');
    assert.ok(blocks.length >= 4);
    const secret = temp.path('secret');
    writeFileSync(secret, 'x');
    const variables = { SES_PASSWORD: 'x', RESEND_KEY: 'x', OTHER_KEY: 'x' };
    for (const [at, block] of blocks.entries()) {
      const file = temp.path(`relays-${at}.toml`);
      writeFileSync(
        file,
        block
          .replaceAll(/_file = "[^"]*"/g, `_file = "${secret}"`)
          .replaceAll(/"\/etc[^"]*"/g, `"${secret}"`)
          .replaceAll('…', 'x'),
      );
      readConfig({ RELAYS_FILE: file, STATE_DIR: temp.path('.') }, variables);
    }
  });
});

describe('programs in documents', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  it('JSON is JSON', () => {
    for (const page of pages) {
      for (const block of blocksOf(read(page), 'json')) {
        assert.doesNotThrow(() => JSON.parse(block), `${page}: ${block}`);
      }
    }
  });

  it('docs/retries.md: a client that tries again sends; docs/deploy.md: a test reads what was captured', async () => {
    const [retrying = ''] = blocksOf(read('docs/retries.md'), 'ts');
    const [reading = ''] = blocksOf(read('docs/deploy.md'), 'js');
    const client = pathToFileURL(join(root, 'build/src/client/client.js')).href;
    const env = { ...process.env, RESEND_API_KEY: testKey, RESEND_BASE_URL: server.url };
    const script = retrying.replace("'sendonce/client'", `'${client}'`);
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: root, env });
    await server.until(
      'it is captured',
      async () => (await server.call('GET', '/emails')).json.data[0]?.captured === true,
    );
    const { constructor: AsyncFunction } = Object.getPrototypeOf(async () => {});
    const code = reading.replaceAll('http://127.0.0.1:3000', server.url).replace('ann@example.com', 'ann@example.org');
    await new AsyncFunction('assert', 'key', code)(assert, testKey);
  });
});
