/**
 * `npm run test:outbox`: kills all around an outbox, as many as wanted, on both databases.
 *
 * `--runs N` kills at random on each (500), `--seed N`, `--only sqlite|postgres`; with `--calls` a kill at every system call of one
 * write and of one drain as well; with `--languages` rows that Python, Ruby, PHP and Go write.
 */

import { parseArgs } from 'node:util';
import { whyNoStrace } from '../lab/strace.ts';
import { useEngine } from '../support/engine.ts';
import { sharedPostgres } from '../support/postgres-server.ts';
import { createTemp } from '../support/temp.ts';
import type { Scope } from './ground.ts';
import { killAtCalls, killAtRandom } from './kills.ts';
import { languages } from './languages.ts';
import { openSite, Shop } from './shop.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '500' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
    calls: { type: 'boolean', default: false },
    languages: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
let isClean = true;
for (const engine of ['sqlite', 'postgres'] as const) {
  if (values.only !== undefined && values.only !== engine) continue;
  useEngine(engine);
  await inScope((scope) => atRandom(scope, engine));
  if (values.languages) await inScope((scope) => inLanguages(scope, engine));
  if (values.calls) await inScope((scope) => atCalls(scope, engine));
}
if (values.only !== 'sqlite') await (await sharedPostgres()).stop();
process.exit(isClean ? 0 : 1);

async function atRandom(scope: Scope, engine: string): Promise<void> {
  const shop = await Shop.open(scope, await openSite(scope), { seed });
  await killAtRandom(scope, shop, Number(values.runs), (run) => {
    if (run % 50 === 0) console.log(`${engine}: ${run} runs`);
  });
  await conclude(shop, `${engine}: ${values.runs} runs, killed at random, --seed ${seed}`);
}

async function atCalls(scope: Scope, engine: string): Promise<void> {
  const why = whyNoStrace();
  if (why) return console.log(`${engine}: NOT CHECKED: ${why}`);
  const temp = createTemp();
  scope.after(() => temp.remove());
  const shop = await Shop.open(scope, await openSite(scope), { seed, losses: 0 });
  const kills: string[] = [];
  for (const victim of ['writer', 'drain'] as const) {
    for (const call of ['write', 'writev', 'pwrite64', 'fsync', 'fdatasync', 'sendto', 'sendmsg']) {
      const count = await killAtCalls(scope, shop, { victim, call, folder: temp.path('.') });
      if (count > 0) kills.push(`${victim} ${call} ${count}`);
      console.log(`${engine}: ${victim}, ${call}: ${count} kills`);
    }
  }
  await conclude(shop, `${engine}: killed at every call: ${kills.join(', ')}`);
}

async function inLanguages(scope: Scope, engine: 'sqlite' | 'postgres'): Promise<void> {
  const shop = await Shop.open(scope, await openSite(scope), { seed });
  const written: string[] = [];
  for (const language of languages) {
    const why = language.whyNot(engine);
    if (why) console.log(`${engine}: NOT CHECKED: ${language.name}: ${why}`);
    else written.push(shop.writeIn(language));
  }
  await conclude(shop, `${engine}: rows written in ${written.join(', ')}`);
}

async function conclude(shop: Shop, what: string): Promise<void> {
  const { committed, ...wrong } = await shop.close();
  const broken = Object.entries(wrong).filter(([, ids]) => ids.length > 0);
  if (broken.length > 0) isClean = false;
  console.log(
    `${what}: ${committed} orders; ${broken.length === 0 ? 'each has one email, no other has one' : JSON.stringify(broken)}`,
  );
}

async function inScope(work: (scope: Scope) => Promise<void>): Promise<void> {
  const endings: (() => unknown)[] = [];
  try {
    await work({ after: (ending) => void endings.push(ending) });
  } finally {
    for (const ending of endings.reverse()) await ending();
  }
}
