/** An API server whose process has as many writing connections as it is told, for `bench:postgres --writers`. */

import { createSystemClock } from '../src/clock.ts';
import { readConfig } from '../src/config/config.ts';
import { startLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';
import { openPostgres } from '../src/store/engine/postgres/postgres.ts';
import { serveHelper } from './child.ts';
import { apiKey } from './requests.ts';

const [url = '', scratch = '', writers = ''] = process.argv.slice(2);
startLog('error');
const database = await openPostgres({ url, writers: Number(writers) });
const config = readConfig({
  PORT: '0',
  ROLE: 'api',
  DATABASE_URL: url,
  STATE_DIR: scratch,
  SENDONCE_API_KEY: apiKey,
});
const server = await startServer(config, {
  clock: (wall) => createSystemClock({ wall, onJump: () => {} }),
  die: () => process.exit(1),
  // Instead of the one of the settings, which stays without work.
  database: () => database,
});

serveHelper<'port', { port: number }>({ port: Number(new URL(server.url).port) }, async () => ({ port: 0 }));
