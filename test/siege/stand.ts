/** The real program in a process of its own, and a process that attacks it. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createTemp } from '../support/temp.ts';
import type { Answers, Attack, Target } from './attacks.ts';
import { type Beside, serveBeside } from './beside.ts';

export type Stand = {
  target: Target & { pid: number };
  /** Attacks, serves ordinary requests beside it, and tells how both fared. */
  withstand(attack: Attack): Promise<{ beside: Beside; answers: Answers }>;
  stop(): Promise<void>;
};

const key = 're_the_key_of_the_siege';

export async function raise(settings: Record<string, string> = {}): Promise<Stand> {
  const temp = createTemp();
  const env = {
    ...process.env,
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: `sqlite:${temp.path('siege.db')}`,
    SENDONCE_API_KEY: key,
    ...settings,
  };
  const server = fork(join(import.meta.dirname, '../../src/main.js'), [], {
    env,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const attacker = fork(join(import.meta.dirname, 'attacker.js'));
  const port = await portOf(server);
  const target = { port, key, pid: server.pid ?? 0 };
  return {
    target,
    async withstand(attack) {
      attacker.send({ attack, target });
      const { beside, outcome } = await serveBeside(target, nextAnswer(attacker));
      return { beside, answers: outcome };
    },
    async stop() {
      attacker.disconnect();
      server.kill('SIGKILL');
      await once(server, 'exit');
      temp.remove();
    },
  };
}

async function nextAnswer(attacker: ChildProcess): Promise<Answers> {
  const [answers] = await once(attacker, 'message');
  return answers as Answers;
}

function portOf(server: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    server.once('exit', () => reject(new Error(`the server ended at its start: ${said}`)));
    server.stdout?.on('data', (chunk) => {
      said += chunk;
      const found = /listens on http:\/\/[^:]+:(\d+)/.exec(said)?.[1];
      if (found) resolve(Number(found));
    });
  });
}
