/**
 * `npm run test:schemas [-- --cases N] [--spec NAME] [--seed N]`: schemathesis asks a real server what the vendors' OpenAPI files, and
 * our own, allow and forbid. No answer may be a 5xx or fit its schema badly, and no key may have two different 2xx. Exits with 1 where
 * there is more than the list of exceptions has, with 3 where Python is missing.
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

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100' },
    spec: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const cases = Number(values.cases);
const chosen = specs.filter(({ name }) => values.spec === undefined || name === values.spec);
const met = new Set<(typeof exceptions)[number]>();
let failed = 0;

if (!(cases > 0) || chosen.length === 0) refuse(2, `--cases N; --spec ${specs.map(({ name }) => name).join('|')}`);
await install();
for (const spec of chosen) await judgeSpec(spec);
for (const one of exceptions.filter((each) => met.has(each)))
  console.log(`excepted: ${one.spec}: ${one.operation.source}: ${one.because}`);
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
  const server = await startTestServer();
  const startedAt = performance.now();
  const path = join(home, spec.file.endsWith('.yaml.gz') ? `${spec.name}.yaml` : `${spec.name}.json`);
  const bytes = readFileSync(spec.file);
  writeFileSync(path, spec.file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  const served = Object.keys(operations).map((one) => one.replace(/\{[^}]*\}/g, '{}'));
  const { name, prefix } = spec;
  const seed = Number(values.seed);
  const terms = { spec: name, path, prefix, base: `${server.url}${prefix}`, key: testKey, cases, seed };
  const child = spawn(python, [join(folder, 'judge.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ ...terms, operations: served }));
  let asked = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const told: Told = JSON.parse(line);
    seen += 1;
    asked += Object.values(told.statuses).reduce((sum, count) => sum + count, 0);
    tell(spec, told);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  console.log(`${name}: ${seen} operations, ${asked} requests, ${seconds} s`);
  if (seen === 0) failed += 1;
  await server.stop();
}

function tell({ name }: Spec, { operation, statuses, failures }: Told): void {
  const counts = Object.entries(statuses).map(([status, count]) => `${status} ${count}`);
  console.log(`${name}: ${operation}: ${counts.join(', ')}`);
  for (const { kind, says, times, example } of failures) {
    const known = exceptions.find((one) => one.spec === name && one.operation.test(operation) && one.says.test(says));
    if (known) met.add(known);
    else {
      failed += 1;
      console.log(`  FAILED ${times} times, ${kind}: ${says}\n    ${example}`);
    }
  }
}
