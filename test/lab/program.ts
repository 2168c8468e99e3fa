/** The real program as a process of its own, to be killed, stopped and asked from outside. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Sqlite from 'better-sqlite3';
import { testKey, testSecretKey } from '../support/server.ts';
import { noteLine } from './sometimes.ts';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export type Setting = {
  /** As DATABASE_URL has it. */
  databaseUrl: string;
  relayUrl: string;
  /** More of the environment. */
  environment?: Record<string, string>;
};

export type Ended = { code: number | null; signal: NodeJS.Signals | null };

export type Program = {
  /** Of the command; where that runs another one (strace does), the server's own is another. */
  pid: number;
  /** Resolves with the address once it listens; null when it ended before. */
  listening: Promise<string | null>;
  ended: Promise<Ended>;
  signal(name: NodeJS.Signals): void;
  /** What it wrote, for the message of a failure. */
  words(): string;
};

/** `command` runs another program than Sendonce's own, for instance under strace. */
export function startProgram(setting: Setting, command: string[] = [process.execPath, main]): Program {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { env: environmentOf(setting), stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const listening = new Promise<string | null>((resolve) => {
    readLines(child, (line) => {
      lines.push(line);
      noteLine(line);
      if (lines.length > 200) lines.shift();
      const url = /^Sendonce listens on (\S+)$/.exec(line)?.[1];
      if (url) resolve(url);
    });
    child.once('exit', () => resolve(null));
  });
  return {
    pid: child.pid ?? 0,
    listening,
    ended: once(child, 'exit').then(([code, signal]) => ({ code, signal })),
    signal: (name) => child.kill(name),
    words: () => lines.join('\n'),
  };
}

function environmentOf({ databaseUrl, relayUrl, environment }: Setting): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    PORT: '0',
    DATABASE_URL: databaseUrl,
    RELAY_URL: relayUrl,
    SENDONCE_API_KEY: testKey,
    SECRET_KEY: testSecretKey,
    LOG_LEVEL: 'warn',
    ...environment,
  };
}

function readLines(child: ChildProcess, take: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) if (stream) createInterface({ input: stream }).on('line', take);
}

/** What the command line prints, beside a running server or without one. */
export async function runCommand(setting: Setting, words: string[], timeout = 0, input = ''): Promise<string> {
  const options = { env: environmentOf(setting), timeout };
  const running = promisify(execFile)(process.execPath, [main, ...words], options);
  running.child.stdin?.on('error', () => {}).end(input);
  return (await running).stdout;
}

/** The first column of a query of a SQLite file, read beside whoever has it open. */
export function readColumn(databasePath: string, sql: string, params: string[] = []): string[] {
  return readRows<Record<string, string>>(databasePath, sql, params).map((row) => Object.values(row)[0] ?? '');
}

/** A read-only connection leaves the log for the next start to read. */
export function readRows<R>(databasePath: string, sql: string, params: string[] = []): R[] {
  const connection = new Sqlite(databasePath, { readonly: true, timeout: 5_000 });
  try {
    return connection.prepare<string[], R>(sql).all(...params);
  } finally {
    connection.close();
  }
}

/** Several queries of one moment. */
export function readRowsAtOnce(databasePath: string, sqls: readonly string[]): unknown[][] {
  const connection = new Sqlite(databasePath, { readonly: true, timeout: 5_000 });
  try {
    return connection.transaction(() => sqls.map((sql) => connection.prepare(sql).all()))();
  } finally {
    connection.close();
  }
}
