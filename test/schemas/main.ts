/**
 * `npm run test:schemas [-- --cases N] [--spec NAME] [--only "POST /emails"] [--seed N]`: schemathesis asks a real server what the vendors'
 * OpenAPI files, and our own, allow and forbid. No answer may be a 5xx or fit its schema badly, and no key may have two different 2xx. Exits
 * with 1 where there is more than the list of exceptions has, with 3 where Python is missing. `--control` takes the keys out of what is sent,
 * which has to be noticed.
 */

import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { operations } from '../../src/http/openapi/operations.ts';
import { startTestServer, testKey } from '../support/server.ts';
import { exceptions } from './exceptions.ts';
import { startKeyless } from './keyless.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../../test/schemas/', import.meta.url));
/** Kept between runs. */
const home = join(tmpdir(), 'sendonce-schemas');
const python = join(home, 'bin/python');
const packages = ['schemathesis==4.32.5'];

type Spec = { name: 'resend' | 'brevo' | 'own'; file: string; prefix: string };

const specs: readonly Spec[] = [
  { name: 'resend', file: join(folder, 'resend.yaml.gz'), prefix: '' },
  { name: 'brevo', file: join(folder, 'brevo.json.gz'), prefix: '/v3' },
  { name: 'own', file: join(folder, '../../docs/openapi.json'), prefix: '' },
];

type Failure = { kind: string; says: string; times: number; example: string };
type Told = { operation: string; statuses: Record<string, number>; failures: Failure[] };
/** Keys that had a 2xx, and how often one was used again after it: with the same body, and with another one. */
type Keys = { keys: number; same: number; other: number };

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100' },
    spec: { type: 'string' },
    only: { type: 'string' },
    control: { type: 'boolean' },
    seed: { type: 'string', default: '1' },
  },
});
const cases = Number(values.cases);
const chosen = specs.filter(({ name }) => values.spec === undefined || name === values.spec);
const met = new Set<(typeof exceptions)[number]>();
let failed = 0;
let twice = 0;

if (!(cases > 0) || chosen.length === 0) refuse(2, `--cases N; --spec ${specs.map(({ name }) => name).join('|')}`);
await install();
for (const spec of chosen) await judgeSpec(spec);
for (const one of exceptions.filter((each) => met.has(each)))
  console.log(`excepted: ${one.spec}: ${one.operation.source}: ${one.because}`);
if (values.control && twice === 0) console.log('  FAILED: nobody noticed that keys were taken out');
if (values.control) process.exit(twice === 0 ? 1 : 0);
console.log(`test:schemas: ${failed === 0 ? 'held' : `FAILED, ${failed} failures beyond the list`}`);
process.exit(failed === 0 ? 0 : 1);

function refuse(code: number, why: string): never {
  console.error(why);
  process.exit(code);
}

async function install(): Promise<void> {
  mkdirSync(home, { recursive: true });
  try {
    await run('python3', ['-m', 'venv', home]);
    await run(join(home, 'bin/pip'), ['install', '-q', ...packages]);
  } catch (error) {
    refuse(
      3,
      `NOT RUN: ${packages.join()} cannot be had on this machine (python3, venv, pip): ${String(error).slice(0, 300)}`,
    );
  }
}

async function judgeSpec(spec: Spec): Promise<void> {
  const ends: (() => unknown)[] = [];
  const server = await startTestServer();
  const url = values.control ? await startKeyless({ after: (end) => ends.push(end) }, server.url) : server.url;
  const startedAt = performance.now();
  const path = join(home, spec.file.endsWith('.yaml.gz') ? `${spec.name}.yaml` : `${spec.name}.json`);
  const bytes = readFileSync(spec.file);
  writeFileSync(path, spec.file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  const served = Object.keys(operations)
    .filter((one) => values.only === undefined || one.endsWith(values.only.replace(/^(\w+ )/, `$1${spec.prefix}`)))
    .map((one) => one.replace(/\{[^}]*\}/g, '{}'));
  const { name, prefix } = spec;
  const seed = Number(values.seed);
  const terms = { spec: name, path, prefix, base: `${url}${prefix}`, key: testKey, cases, seed };
  const child = spawn(python, [join(folder, 'judge.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ ...terms, operations: served }));
  let asked = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const told: Told | Keys = JSON.parse(line);
    if ('keys' in told) {
      tellKeys(spec, told);
      continue;
    }
    seen += 1;
    asked += Object.values(told.statuses).reduce((sum, count) => sum + count, 0);
    tell(spec, told);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${name}: ${seen} operations, ${asked} requests, ${seconds} s`);
  if (seen === 0) failed += 1;
  for (const end of ends) await end();
  await server.stop();
}

/** Where no key is used again once it had its answer, nothing is known about two answers. */
function tellKeys({ name }: Spec, { keys, same, other }: Keys): void {
  console.log(`${name}: ${keys} keys with a 2xx, asked again ${same} times with the same body, ${other} with another`);
  if (values.only === undefined && same === 0) {
    failed += 1;
    console.log('  FAILED: no key was asked again with the same body: two answers cannot have been seen');
  }
}

function tell({ name }: Spec, { operation, statuses, failures }: Told): void {
  const counts = Object.entries(statuses).map(([status, count]) => `${status} ${count}`);
  console.log(`${name}: ${operation}: ${counts.join(', ')}`);
  for (const { kind, says, times, example } of failures) {
    if (kind === 'two answers') twice += times;
    const known = exceptions.find((one) => one.spec === name && one.operation.test(operation) && one.says.test(says));
    if (known) met.add(known);
    else {
      failed += 1;
      console.log(`  FAILED ${times} times, ${kind}: ${says}\n    ${example}`);
    }
  }
}
