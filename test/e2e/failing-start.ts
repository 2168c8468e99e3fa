/**
 * `node failing-start.js [unguarded]`: starts that fail, each in another way and each followed by a start on the same database that does not, its stop,
 * and a look at who is taken for alive; then nothing more. Prints a line of JSON for each. Unguarded: the first only, whose parts
 * are not stopped. Status 3: a second start failed; 4: something keeps the process.
 */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createSystemClock } from '../../src/clock.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import { cannotWrite } from '../../src/core/error.ts';
import type { Outside } from '../../src/process/outside.ts';
import { Parts } from '../../src/process/parts.ts';
import { startServer } from '../../src/server.ts';
import { openDatabase } from '../support/engine.ts';

export type Failure = keyof typeof failures;

/** What the first start threw, and the processes that are taken for alive once the second has stopped. */
export type Failed = { failure: Failure; threw: string; alive: unknown[] };

type Broken = { config?: Partial<Config>; outside?: Partial<Outside> };

const failures = {
  'a port that is taken': async () => ({ config: { port: await takenPort() } }),
  'a folder of the witness that is none': async () => ({ config: { stateDir: join(plainFile(), 'state') } }),
  'an allowed network that is none': async () => ({ config: { egressAllow: ['inside'] } }),
  'a DKIM key that is none': async () => {
    return { config: { dkim: [{ domain: 'acme.test', selector: 's1', privateKeyPem: 'none' }] } };
  },
  'a clock that cannot be made': async () => ({ outside: { clock: fail } }),
  'a database that takes no writes': async () => {
    const refusing: Outside['database'] = (own) => ({
      engine: own.engine,
      all: (sql, ...params) => own.all(sql, ...params),
      write: () => Promise.reject(cannotWrite(new Error('it is read-only'))),
      report: (sql, ...params) => own.report(sql, ...params),
      wall: () => own.wall(),
      announce: () => own.announce(),
      onAnnounced: (listener) => own.onAnnounced(listener),
      emptyLog: () => own.emptyLog(),
      close: () => own.close(),
    });
    return { outside: { database: refusing } };
  },
} satisfies Record<string, () => Promise<Broken>>;

/** Longer than what was closed takes to be gone, even on a busy machine; what stays is seen sooner. */
const patienceMs = 15_000;
const impatienceMs = 1_500;

/** Listen until the second start has come and gone. */
const others: Server[] = [];
const isUnguarded = process.argv[2] === 'unguarded';
const databaseUrl = process.env.DATABASE_URL ?? '';
const config = readConfig({ ...process.env, PORT: '0', SENDONCE_API_KEY: 're_test_key' });
const outside: Outside = {
  clock: (wall) => createSystemClock({ wall }),
  die: () => process.exit(5),
};
const { stop } = Parts.prototype;
const all = Object.entries(failures) as [Failure, () => Promise<Broken>][];
for (const [failure, breakIt] of isUnguarded ? all.slice(0, 1) : all) {
  const threw = await failToStart(await breakIt());
  await startAndStop();
  const database = await openDatabase(databaseUrl);
  const alive = await database.all('select id from workers');
  await database.close();
  console.log(JSON.stringify({ failure, threw, alive } satisfies Failed));
}
for (const server of others) server.close();
setTimeout(() => process.exit(4), isUnguarded ? impatienceMs : patienceMs).unref();

async function failToStart(broken: Broken): Promise<string> {
  if (isUnguarded) Parts.prototype.stop = async () => {};
  try {
    await startServer({ ...config, ...broken.config }, { ...outside, ...broken.outside });
  } catch (error) {
    return (error as Error).message;
  } finally {
    Parts.prototype.stop = stop;
  }
  return process.exit(2);
}

async function startAndStop(): Promise<void> {
  try {
    await (await startServer(config, outside)).stop();
  } catch (error) {
    console.error((error as Error).message);
    process.exit(3);
  }
}

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  others.push(server);
  return (server.address() as AddressInfo).port;
}

function plainFile(): string {
  const path = join(config.stateDir, 'a-file');
  writeFileSync(path, '');
  return path;
}

function fail(): never {
  throw new Error('there is no clock');
}
