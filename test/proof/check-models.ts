/**
 * `npm run model [-- --trace]`: visits every state of every model, and then does without each guard, which has to be refuted. Exits with
 * 1 where something is wrong, and with 3 where SPIN or gcc is missing.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { labGuards, models, ownGuards, type Variant } from './models.ts';
import { type Checked, checkModel, missingPrograms } from './spin.ts';

const { values } = parseArgs({ options: { trace: { type: 'boolean', default: false } } });
const atOnce = Math.min(4, availableParallelism());
const startedAt = performance.now();
const failures: string[] = [];

const missing = await missingPrograms();
if (missing.length > 0) {
  console.error(`NOT CHECKED: ${missing.join(' and ')} missing. On Debian: apt-get install spin gcc libc6-dev`);
  process.exit(3);
}

const whole = models.map(({ file, what, defines }) => async () => {
  const checked = await checkModel({ file, defines });
  const verdict = checked.refuted ? `REFUTED: ${checked.refuted.by}` : 'holds';
  say(`${what}: ${figures(checked)}: ${verdict}`);
  if (checked.refuted) fail(what, checked.refuted.trace);
});

const ends = models.map(({ file, what, smaller }) => async () => {
  const checked = await checkModel({ file, defines: smaller, seeksCycles: true });
  const verdict = checked.refuted ? `ONE GOES ON FOR EVER: ${checked.refuted.by}` : 'every run ends';
  say(`${what} (${smaller.join(' ')}): ${figures(checked)}: ${verdict}`);
  if (checked.refuted) fail(what, checked.refuted.trace);
});

const variants = [...labGuards, ...ownGuards].map((variant) => () => refute(variant));

const jobs = [...whole, ...ends, ...variants];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      await job().catch((error: unknown) => void failures.push(String(error)));
    }
  }),
);
for (const failure of failures) console.error(`FAILED: ${failure}`);
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
console.log(`model: ${failures.length === 0 ? 'holds' : 'FAILED'}, ${variants.length} guards, ${seconds} s`);
process.exitCode = failures.length === 0 ? 0 : 1;

async function refute({ file, guard, defines }: Variant): Promise<void> {
  const { states, refuted } = await checkModel({ file, defines });
  if (!refuted) return void failures.push(`without "${guard}" every state is as it should be`);
  say(`without "${guard}": refuted after ${states} states, ${refuted.trace.length} steps`);
  if (values.trace) console.log(refuted.trace.map((line) => `    ${line}`).join('\n'));
}

function fail(what: string, trace: string[]): void {
  failures.push(`${what}:\n${trace.map((line) => `    ${line}`).join('\n')}`);
}

function figures({ states, depth, megabytes, seconds }: Checked): string {
  return `${states} states, depth ${depth}, ${megabytes} MB, ${seconds} s`;
}

function say(text: string): void {
  console.log(text);
}
