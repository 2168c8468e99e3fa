/** What relays and recipients write back about the mails of the lab: planned for each recipient, and brought late, twice and in any order. */

import type { ImapServer } from '../support/imap-server.ts';
import { RawClient } from '../support/mail-client.ts';
import type { Random } from '../support/random.ts';
import type { Received } from '../support/smtp-sink.ts';
import { pause } from './load.ts';
import { runCommand, type Setting } from './program.ts';

export type Told = 'failed' | 'delivered' | 'delayed' | 'complained';

/** One copy of a notice on its way. `isForged`: nobody who has the key has made its address. */
type Copy = { recipient: string; returnPath: string; kind: Told; serial: number; round: number; isForged: boolean };

/** How often a recipient comes to this, in a hundred. */
const fates: [weight: number, kinds: Told[]][] = [
  [30, []],
  [22, ['failed']],
  [14, ['delivered']],
  [10, ['delayed']],
  [6, ['delayed', 'failed']],
  [6, ['delivered', 'failed']],
  [4, ['delayed', 'delivered']],
  [8, ['complained']],
];

const bag = fates.flatMap(([weight, kinds]) => Array.from({ length: weight }, () => kinds));

/** So many rounds late at most; the lab's clock goes on by hours between two. */
const roundsLateMax = 4;
const copiesMax = 3;
const forgedShare = 0.1;
const pipedPerRound = 2;

export type BouncerOptions = {
  random: Random;
  imap: ImapServer;
  /** Where it may be brought now; null where nobody listens. */
  port: () => number | null;
  setting: Setting;
};

export class Bouncer {
  /** What was brought to its end, by recipient: the server has said that it has it, or it lies in the mailbox. */
  readonly brought = new Map<string, Set<Told>>();
  copies = 0;
  readonly violations: string[] = [];
  readonly #options: BouncerOptions;
  readonly #waiting: Copy[] = [];
  #planned = 0;
  #serial = 0;
  #piped = 0;

  constructor(options: BouncerOptions) {
    this.#options = options;
  }

  /** For mails that were taken since. */
  plan(taken: readonly Received[], round: number): void {
    for (const { from, to } of taken.slice(this.#planned))
      for (const recipient of to) this.#planFor(recipient, from, round);
    this.#planned = taken.length;
  }

  #planFor(recipient: string, returnPath: string, round: number): void {
    const { random } = this.#options;
    const kinds = bag[Math.floor(random() * bag.length)] ?? [];
    const isForged = random() < forgedShare;
    for (const kind of isForged ? (['failed', 'complained'] as const) : kinds) {
      const copies = 1 + Math.floor(random() * copiesMax);
      for (let copy = 0; copy < copies; copy++) {
        const due = round + Math.floor(random() * roundsLateMax);
        this.#serial += 1;
        const address = isForged ? forged(returnPath) : returnPath;
        this.#waiting.push({ recipient, returnPath: address, kind, serial: this.#serial, round: due, isForged });
      }
    }
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Brings what is due until it is stopped, or nothing is; what cannot be brought now waits. */
  async bring(round: number, isOver: () => boolean): Promise<void> {
    this.#piped = 0;
    const due = this.#waiting.filter((one) => one.round <= round);
    due.sort(() => this.#options.random() - 0.5);
    const places = Array.from({ length: 4 }, async () => {
      for (let copy = due.pop(); copy && !isOver(); copy = due.pop()) await this.#bringOne(copy);
    });
    await Promise.all(places);
  }

  async #bringOne(copy: Copy): Promise<void> {
    const { random, imap } = this.#options;
    const way = random();
    const mail = writtenAs(copy);
    if (way < 0.3) imap.deliver(`Delivered-To: ${copy.returnPath}\r\n${mail}`);
    else if (way < 0.35 && this.#piped < pipedPerRound) {
      this.#piped += 1;
      if (!(await this.#pipe(mail))) return;
    } else if (!(await this.#say(copy, mail))) return;
    this.#waiting.splice(this.#waiting.indexOf(copy), 1);
    this.copies += 1;
    if (copy.isForged) return;
    const known = this.brought.get(copy.recipient) ?? new Set();
    this.brought.set(copy.recipient, known.add(copy.kind));
  }

  async #pipe(mail: string): Promise<boolean> {
    try {
      await runCommand(this.#options.setting, ['bounce'], 30_000, mail);
      return true;
    } catch {
      return false;
    }
  }

  /** False: it was not taken, or nobody knows. */
  async #say({ returnPath, isForged }: Copy, mail: string): Promise<boolean> {
    const port = this.#options.port();
    if (port === null) {
      await pause(20);
      return false;
    }
    const client = await RawClient.open(port, /^(220 .*|)$/).catch(() => null);
    if (!client) return false;
    try {
      await client.ask('EHLO mx.example.net');
      await client.ask('MAIL FROM:<>');
      const asked = await client.ask(`RCPT TO:<${returnPath}>`);
      if (isForged) {
        if (asked.startsWith('2')) this.violations.push(`an address that nobody made was taken: ${asked}`);
        return asked !== '';
      }
      if (asked.startsWith('5')) this.violations.push(`a return path was refused: ${asked}`);
      if (!asked.startsWith('2') || !(await client.ask('DATA')).startsWith('354')) return false;
      client.write(mail);
      return (await client.ask('\r\n.')).startsWith('250');
    } finally {
      client.cut();
    }
  }
}

/** Another MAC. */
function forged(returnPath: string): string {
  return returnPath.replace(/(.)@/, (_, last: string) => `${last === '0' ? '1' : '0'}@`);
}

const words: Readonly<Record<Exclude<Told, 'complained'>, [status: string, said: string]>> = {
  failed: ['5.1.1', '550 5.1.1 There is no such user here'],
  delivered: ['2.0.0', '250 2.0.0 delivered'],
  delayed: ['4.4.1', '451 4.4.1 No answer from the host'],
};

/** Each copy in bytes of its own, as servers that tell of it twice write them. */
function writtenAs({ recipient, returnPath, kind, serial }: Copy): string {
  const type = kind === 'complained' ? 'feedback-report' : 'delivery-status';
  const fields =
    kind === 'complained'
      ? [
          'Feedback-Type: abuse',
          'Version: 1',
          `Original-Mail-From: <${returnPath}>`,
          `Original-Rcpt-To: <${recipient}>`,
        ]
      : [
          'Reporting-MTA: dns; mx.example.net',
          '',
          `Original-Recipient: rfc822;${recipient}`,
          `Final-Recipient: rfc822;${recipient}`,
          `Action: ${kind}`,
          `Status: ${words[kind][0]}`,
          `Diagnostic-Code: smtp; ${words[kind][1]}`,
        ];
  const lines = [
    'From: Mail Delivery System <MAILER-DAEMON@mx.example.net>',
    `To: <${returnPath}>`,
    'Subject: About your mail',
    `Message-ID: <${serial}@mx.example.net>`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=${type}; boundary="b${serial}"`,
    '',
    `--b${serial}`,
    'Content-Type: text/plain',
    '',
    'This is what became of your mail.',
    `--b${serial}`,
    `Content-Type: message/${type}`,
    '',
    ...fields,
    '',
    `--b${serial}--`,
    '',
  ];
  return lines.join('\r\n');
}
