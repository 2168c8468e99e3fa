/** Style as a test: layers that bite, files one wants to open. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTemp } from './support/temp.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const linesMax = 400;

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));
}

describe('the layers', () => {
  /** Each import breaks a rule of docs/architecture.md. */
  const forbidden: [file: string, from: string][] = [
    ['src/core/probe.ts', '../store/migrate.ts'],
    ['src/core/probe.ts', '../log.ts'],
    ['src/core/probe.ts', 'node:fs'],
    ['src/core/probe.ts', 'better-sqlite3'],
    ['src/store/probe.ts', '../use-cases/accept.ts'],
    ['src/store/mail/probe.ts', '../../use-cases/accept.ts'],
    ['src/store/mail/probe.ts', '../../log.ts'],
    ['src/store/engine/sqlite/probe.ts', '../../../log.ts'],
    ['src/render/probe.ts', '../store/migrate.ts'],
    ['src/store/probe.ts', '../deliver/lane.ts'],
    ['src/egress/probe.ts', '../store/idempotency.ts'],
    ['src/evidence/probe.ts', '../use-cases/accept.ts'],
    ['src/evidence/probe.ts', '../log.ts'],
    ['src/config/probe.ts', '../egress/egress.ts'],
    ['src/config/probe.ts', '../deliver/smtp.ts'],
    ['src/config/probe.ts', '../log.ts'],
    ['src/deliver/probe.ts', '../http/app.ts'],
    ['src/webhook/probe.ts', '../http/app.ts'],
    ['src/use-cases/probe.ts', '../http/app.ts'],
    ['src/use-cases/probe.ts', '../page/frame/frame.tsx'],
    ['src/deliver/probe.ts', '../use-cases/accept.ts'],
    ['src/page/probe.ts', '../deliver/lane.ts'],
    ['src/worker.ts', './server.ts'],
    ['src/use-cases/probe.ts', '../process/recovery.ts'],
    ['src/http/probe.ts', '../process/doors.ts'],
    ['src/page/probe.ts', '../process/doors.ts'],
    ['src/http/probe.ts', '../deliver/lane.ts'],
    ['src/http/resend/probe.ts', '../brevo/parse.ts'],
    ['src/http/resend/probe.ts', '../../worker.ts'],
    ['src/http/brevo/probe.ts', '../resend/parse.ts'],
    ['src/http/brevo/probe.ts', '../../deliver/lane.ts'],
  ];
  const allowed: [file: string, from: string][] = [
    ['src/core/probe.ts', 'node:crypto'],
    ['src/core/probe.ts', './email.ts'],
    ['src/evidence/probe.ts', '../core/email.ts'],
    ['src/store/probe.ts', '../core/email.ts'],
    ['src/config/probe.ts', '../core/dkim.ts'],
    ['src/config/probe.ts', '../egress/address.ts'],
    ['src/deliver/probe.ts', '../store/mail/deliveries.ts'],
    ['src/http/resend/probe.ts', '../../use-cases/accept.ts'],
    ['src/http/brevo/probe.ts', '../base64.ts'],
    ['src/use-cases/probe.ts', '../store/page/rollups.ts'],
    ['src/store/engine/sqlite/probe.ts', '../../database.ts'],
    ['src/server.ts', './http/app.ts'],
  ];

  const probes = [...forbidden, ...allowed].map(([file, from], index) => ({
    file: file.replace(/probe(?=\.ts$)/, `probe${index}`),
    from,
  }));
  let refused: Set<string>;

  /** The rules as they are, on files that each break one of them, or none. */
  before(() => {
    const temp = createTemp();
    copyFileSync(join(root, 'biome.json'), temp.path('biome.json'));
    for (const { file, from } of probes) {
      mkdirSync(dirname(temp.path(file)), { recursive: true });
      writeFileSync(temp.path(file), `export * as probe from '${from}';\n`);
    }
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
    const words = ['lint', '--reporter=github', '--max-diagnostics=none', '--only=style/noRestrictedImports', '.'];
    const { stdout } = spawnSync(process.execPath, [biome, ...words], { cwd: temp.path('.'), encoding: 'utf8' });
    refused = new Set(
      [...stdout.matchAll(/noRestrictedImports,file=[^,]*?(src\/[^,]+),/g)].map(([, file = '']) => file),
    );
    temp.remove();
  });

  for (const [index, [file, from]] of [...forbidden, ...allowed].entries()) {
    const isForbidden = index < forbidden.length;
    it(`${isForbidden ? `keep ${from} out of ${file}` : `let ${file} import ${from}`}`, () => {
      assert.equal(refused.has(probes[index]?.file ?? ''), isForbidden);
    });
  }
});

describe('the doors', () => {
  const doors = ['src/http', 'src/page', 'src/command'].flatMap(sources);

  /** A transaction, or anything written to but a stream. */
  function writes(text: string): boolean {
    return /\bTransaction\b|(?<!\b(?:socket|stderr|stdout))\s*\.write\(/.test(text);
  }

  it('read, and leave writing to the use cases', () => {
    assert.deepEqual(
      doors.filter((file) => writes(readFileSync(join(root, file), 'utf8'))),
      [],
    );
  });

  it('of the API and the page hold a database that has no `write`', () => {
    const held = doors.filter((file) => !file.startsWith('src/command'));
    assert.deepEqual(
      held.filter((file) => /\bDatabase\b/.test(readFileSync(join(root, file), 'utf8'))),
      [],
    );
  });

  it('would be noticed if they wrote: the control', () => {
    for (const file of ['src/use-cases/subscribe.ts', 'src/use-cases/suppress.ts', 'src/store/senders.ts']) {
      assert.equal(writes(readFileSync(join(root, file), 'utf8')), true, file);
    }
    assert.equal(writes('await parts.database\n    .write((one) => one.run(sql))'), true);
    assert.equal(writes('process.stderr.write(line)'), false);
  });
});

describe('deliveries', () => {
  const movers = (files: [name: string, text: string][]) =>
    files.filter(([, text]) => /\bupdate\s+deliveries\b/i.test(text)).map(([name]) => name);

  it('are moved by one function, in one file', () => {
    const files = sources('src').map((name): [string, string] => [name, readFileSync(join(root, name), 'utf8')]);
    assert.deepEqual(movers(files), ['src/store/mail/move.ts']);
    assert.deepEqual(movers([['elsewhere.ts', "tx.run(`update\n  deliveries set state = 'sent'`)"]]), ['elsewhere.ts']);
  });
});

describe('each source file', () => {
  for (const file of sources('src')) {
    const text = readFileSync(join(root, file), 'utf8');
    it(`${file} says in its first lines what it is for, and has at most ${linesMax} lines`, () => {
      assert.match(text, /^(#!.*\n)?\/\*\*/);
      assert.ok(text.split('\n').length <= linesMax + 1);
    });
  }
});

describe('constants', () => {
  const shouted = (text: string) =>
    [...text.matchAll(/^(?:export )?const ([A-Z][A-Z0-9_]+)\b/gm)].map(([, name]) => name);

  it('are camelCase like everything else', () => {
    const files = ['src', 'test', 'bench'].flatMap(sources);
    const found = files.flatMap((file) => shouted(readFileSync(join(root, file), 'utf8')));
    assert.deepEqual(found, []);
    assert.deepEqual(shouted('export const LEASE_MS = 1;'), ['LEASE_MS']);
  });
});
