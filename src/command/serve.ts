/** `sendonce serve`: starts the server, says how to use it, and ends it when asked to. */

import { createSystemClock } from '../clock.ts';
import type { Config, Examined } from '../config/config.ts';
import { log, startLog } from '../log.ts';
import { type Started, startServer } from '../server.ts';

/** `readAgain`: the settings as they are now, for relays that are told to be read again. */
export async function runServer(config: Config, readAgain: () => Examined): Promise<void> {
  startLog(config.logLevel);
  const clock = (wall: () => number) => createSystemClock({ wall, onJump: (deltaMs) => log.clockJumped(deltaMs) });
  const server = await startServer(config, { clock, die });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal means now: what had no verdict by then is in doubt at the next start.
      if (stopping) die();
      stopping = true;
      log.stopping(signal);
      server.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.stopFailed(error);
          process.exit(1);
        },
      );
    });
  }
  if (config.relay.kind === 'file') process.on('SIGHUP', () => changeRelays(server, readAgain()));
  // Last: whoever reads it may stop us at once.
  console.log(welcome(config, server));
}

/** Only relays and routes: what else has changed counts from the next start. */
function changeRelays(server: Started, { config, problems }: Examined): void {
  const own = problems.filter(({ setting }) => setting === 'RELAYS_FILE');
  if (own.length > 0) log.relaysUnchanged(own.map(({ text }) => text));
  else server.change(config.relay);
}

/** SIGKILL rather than exit: no handler may run, no answer may leave. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

function welcome(config: Config, started: Started): string {
  const lines = config.role === 'worker' ? workerLines(started) : apiLines(config, started);
  if (config.relay.kind === 'capture')
    lines.push('Mail is captured, nothing leaves. Set RELAY_URL to send for real.', '');
  return lines.join('\n');
}

/** Without the API there is nothing to look at, and nothing to try. */
function workerLines({ url }: Started): string[] {
  return [
    `Sendonce listens on ${url}`,
    'A worker: it sends what is queued, and serves /healthz and /metrics only.',
    '',
  ];
}

function apiLines(config: Config, { url, newApiKey }: Started): string[] {
  const { firstKeyFile } = config;
  const lines = [`Sendonce listens on ${url}`, `Look at it: ${url}/dashboard`];
  const inFile = newApiKey !== null && firstKeyFile !== null;
  if (inFile)
    lines.push('', `  API key: in ${firstKeyFile}, which only this user can read. It is stored as a hash only.`);
  else if (newApiKey)
    lines.push('', `  API key: ${newApiKey}`, '  Keep it: it is stored as a hash only and not shown again.');
  if (newApiKey && !inFile && !process.stdout.isTTY)
    lines.push('  A journal that keeps this output keeps it, too: with FIRST_KEY_FILE it goes to a file instead.');
  const key = inFile
    ? `$(cat ${firstKeyFile})`
    : (newApiKey ?? (config.apiKey === null ? 're_…' : '$SENDONCE_API_KEY'));
  lines.push(
    '',
    'Try it; a second call with the same Idempotency-Key gives the same id and sends nothing:',
    '',
    `  curl -X POST ${url}/emails \\`,
    `    -H "Authorization: Bearer ${key}" \\`,
    "    -H 'Content-Type: application/json' \\",
    "    -H 'Idempotency-Key: welcome-user/123456789' \\",
    `    -d '{"from":"Acme <onboarding@resend.dev>","to":["you@example.com"],"subject":"hello world","html":"<p>it works!</p>"}'`,
    '',
    `Resend's SDKs want ${url} as their base URL, Brevo's ${url}/v3.`,
    '',
  );
  return lines;
}
