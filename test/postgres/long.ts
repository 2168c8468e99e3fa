/** `npm run test:postgres`: the tests of many processes on one PostgreSQL, as long as one likes. */

import { parseArgs } from 'node:util';
import { mischiefs, runFleet } from './fleet.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    apis: { type: 'string', default: '3' },
    workers: { type: 'string', default: '3' },
    clients: { type: 'string', default: '16' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** A mischief's name, `all`, or `none`. */
    mischief: { type: 'string', default: 'none' },
  },
});

const chosen = mischiefs.filter((one) => values.mischief === 'all' || values.mischief === one);
if (chosen.length === 0 && values.mischief !== 'none') {
  console.error(`--mischief is one of none, all, ${mischiefs.join(', ')}`);
  process.exit(1);
}
const startedAt = performance.now();
const findings = await runFleet({
  apis: Number(values.apis),
  workers: Number(values.workers),
  requests: Number(values.requests),
  clients: Number(values.clients),
  seed: Number(values.seed),
  mischief: chosen,
});
console.log(JSON.stringify(findings, null, 2));
console.log(`--seed ${values.seed}, ${Math.round((performance.now() - startedAt) / 1_000)} s`);
if (findings.violations.length + findings.duplicates.length + findings.lost.length > 0) process.exitCode = 1;
