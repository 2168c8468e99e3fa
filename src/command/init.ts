/** `sendonce init`: asks for what a server needs to know, tests the relay, and writes it to a file for `--env-file`. */

import { existsSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { parseRelayUrl, type RelayUrl, RelayUrlError } from '../config/relay-url.ts';
import { parseMailbox } from '../core/address.ts';
import { checkRelay } from './doctor/relay.ts';
import { writeEnvLine } from './env-file.ts';
import { CommandError } from './terminal.ts';

const fileDefault = 'sendonce.env';

type Lines = [name: string, value: string][];

export async function init([file = fileDefault]: string[], { force = false }: { force?: boolean | undefined }) {
  if (existsSync(file) && !force) {
    throw new CommandError(`${file} is there already: name another file, or add --force.`);
  }
  const terminal = openTerminal();
  try {
    console.log('Press Enter for what stands in [brackets], or to leave something out.\n');
    const settings = [...(await askRelay(terminal)), ...(await askAddress(terminal)), ...(await askRest(terminal))];
    writeFileSync(file, `${settings.map(([name, value]) => writeEnvLine(name, value)).join('\n')}\n`, { mode: 0o600 });
  } finally {
    terminal.close();
  }
  console.log(`\n${file} is written; only this user can read it. Next:\n`);
  console.log(`  sendonce doctor --env-file ${file}\n  sendonce serve --env-file ${file}`);
}

async function askRelay(terminal: Terminal): Promise<Lines> {
  for (;;) {
    const host = await terminal.ask(
      'Relay (SMTP host, such as smtp.example.com; none: mail is captured and nothing leaves)',
    );
    if (host === '') return [];
    const url = isWhole(host) ? host : relayUrl({ host, ...(await askLogin(terminal)) });
    const relay = readRelay(url);
    if (relay === null) continue;
    if (await isGood(relay)) return [['RELAY_URL', url]];
    if (/^y/i.test(await terminal.ask('Keep it all the same? (y/n)', 'n'))) return [['RELAY_URL', url]];
  }
}

type Parts = { host: string; port: string; user: string; password: string };

/** What is typed where the host is asked for may be a URL, with all that is asked next in it. */
function isWhole(host: string): boolean {
  return /^smtps?:\/\//.test(host);
}

async function askLogin(terminal: Terminal): Promise<Omit<Parts, 'host'>> {
  const port = await terminal.ask('Port', '587');
  const user = await terminal.ask('User');
  return { port, user, password: user === '' ? '' : await terminal.askSecret('Password') };
}

function relayUrl({ host, port, user, password }: Parts): string {
  const login = user === '' ? '' : `${encode(user)}:${encode(password)}@`;
  return `${port === '465' ? 'smtps' : 'smtp'}://${login}${host}:${port}`;
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("'", '%27');
}

function readRelay(url: string): RelayUrl | null {
  try {
    return parseRelayUrl(url);
  } catch (error) {
    if (!(error instanceof RelayUrlError)) throw error;
    console.log(`That ${error.message}`);
    return null;
  }
}

async function isGood(relay: RelayUrl): Promise<boolean> {
  if (relay.kind === 'capture') return true;
  const { host, port } = relay.server;
  const { is, text } = await checkRelay(`relay ${host}:${port}`, relay);
  console.log(`${is.padEnd(4)} ${text}`);
  return is === 'ok';
}

async function askAddress(terminal: Terminal): Promise<Lines> {
  const url = await terminal.ask(
    'Address that others reach this server at, such as https://mail.example.com (none: this machine alone)',
  );
  if (url === '') return [];
  const isBehind = !/^n/i.test(await terminal.ask('Does a proxy on this machine stand before it? (y/n)', 'y'));
  const behind: Lines = isBehind ? [['TRUSTED_PROXIES', '127.0.0.1']] : [['HOST', '0.0.0.0']];
  return [['PUBLIC_URL', url], ...behind];
}

async function askRest(terminal: Terminal): Promise<Lines> {
  const port = await terminal.ask('Port to listen on', '3000');
  const folder = (await terminal.ask('Folder for the database', './data')).replace(/\/+$/, '');
  const person = await askPerson(terminal);
  const alert: Lines = person === '' ? [] : [['ALERT_EMAIL', person]];
  return [['PORT', port], ['DATABASE_URL', `sqlite:${folder}/sendonce.db`], ['STATE_DIR', folder], ...alert];
}

async function askPerson(terminal: Terminal): Promise<string> {
  for (;;) {
    const person = await terminal.ask('Whom to mail when something needs a person (none: nobody)');
    if (person === '' || parseMailbox(person)) return person;
    console.log('That is no email address.');
  }
}

type Terminal = {
  /** What was typed, without spaces around it; `fallback` where that is nothing. */
  ask(question: string, fallback?: string): Promise<string>;
  /** Nothing of it is shown. */
  askSecret(question: string): Promise<string>;
  close(): void;
};

/** Answers may also come from a file or a pipe, a line each. */
function openTerminal(): Terminal {
  let isQuiet = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isQuiet) process.stdout.write(chunk);
      done();
    },
  });
  const reader = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY });
  const lines = reader[Symbol.asyncIterator]();

  async function next(): Promise<string> {
    const { value, done } = await lines.next();
    if (done) throw new CommandError('\nThe answers ended before the questions did; nothing was written.');
    return value.trim();
  }

  return {
    async ask(question, fallback = '') {
      process.stdout.write(`${question}${fallback === '' ? '' : ` [${fallback}]`}: `);
      return (await next()) || fallback;
    },
    async askSecret(question) {
      process.stdout.write(`${question} (not shown): `);
      isQuiet = true;
      const answer = await next();
      isQuiet = false;
      process.stdout.write('\n');
      return answer;
    },
    close: () => reader.close(),
  };
}
