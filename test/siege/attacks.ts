/** What is thrown at the server, each from connections of its own; run in a process of its own, so that it slows nobody but the server. */

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

export type Target = { port: number; key: string };

export type Attack = {
  name: 'none' | 'trickle' | 'stalled' | 'gzip' | 'flood' | 'largest';
  /** Connections, or requests. */
  count: number;
  /** Of a body, where that counts. */
  bytes: number;
  /** How long those that have no end of their own go on. */
  ms: number;
};

/** Answers by status; 0 where the connection ended without one. */
export type Answers = Record<number, number>;

export async function run(attack: Attack, target: Target): Promise<Answers> {
  const answers: Answers = {};
  const note = (status: number) => {
    answers[status] = (answers[status] ?? 0) + 1;
  };
  await attacks[attack.name](attack, target, note);
  return answers;
}

type Run = (attack: Attack, target: Target, note: (status: number) => void) => Promise<void>;

const attacks: Record<Attack['name'], Run> = {
  /** What the others are compared with. */
  async none({ ms }) {
    await sleep(ms);
  },

  /** A byte a second: half of them of a header that never ends, half of a body. */
  async trickle({ count, ms }, target, note) {
    const open = Array.from({ length: count }, (_, index) => {
      const start = index % 2 === 0 ? 'GET /emails HTTP/1.1\r\nx-endless: ' : head(target, '/emails', 60_000);
      return ask(target, note, (socket) => {
        socket.write(start);
        const timer = setInterval(() => socket.write('x'), 1_000);
        socket.once('close', () => clearInterval(timer));
      });
    });
    await forAWhile(open, ms);
  },

  /** Most of a body, and then nothing. */
  async stalled({ count, bytes, ms }, target, note) {
    const open = Array.from({ length: count }, () =>
      ask(target, note, (socket) => {
        socket.write(head(target, '/emails/batch', bytes));
        writeSlowly(socket, Buffer.concat([Buffer.from('["'), Buffer.alloc(bytes - 1_000, 'x')]));
      }),
    );
    await forAWhile(open, ms);
  },

  async gzip({ count, bytes }, target, note) {
    const bomb = gzipSync(Buffer.alloc(bytes, ' '), { level: 9 });
    const paths = ['/emails', '/v3/smtp/email'];
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        ask(target, note, (socket) => {
          socket.write(head(target, paths[index % 2] ?? '', bomb.length, 'content-encoding: gzip\r\n'));
          socket.write(bomb);
        }),
      ),
    );
  },

  /** Bodies that take parsers minutes and gigabytes. */
  async flood({ count, bytes }, target, note) {
    const unit = ['{},', '[],', '"":{},', '7,', '[[['];
    for (let number = 0; number < count; number++) {
      const piece = unit[number % unit.length] ?? '';
      const body = Buffer.alloc(bytes, piece);
      body.write(piece.startsWith('"') ? '{' : '[', 0);
      await ask(target, note, (socket) => {
        socket.write(head(target, number % 2 === 0 ? '/emails/batch' : '/v3/smtp/email', body.length));
        writeSlowly(socket, body);
      });
    }
  },

  /** As large as a request may be, and legal; each comes again until it is taken. */
  async largest({ count, bytes }, target, note) {
    const bodies = largestBodies(bytes);
    const send = async (number: number): Promise<void> => {
      const { path, body } = bodies[number % bodies.length] ?? { path: '', body: Buffer.alloc(0) };
      for (let tries = 0; tries < 200; tries++) {
        const status = await ask(target, note, (socket) => {
          socket.write(head(target, path, body.length));
          writeSlowly(socket, body);
        });
        if (status >= 200 && status < 300) return;
        await sleep(300 + Math.random() * 700);
      }
    };
    await Promise.all(Array.from({ length: count }, (_, number) => send(number)));
  },
};

/** Files in Base64, one text, and a file as an array of bytes: the three shapes that cost most. */
function largestBodies(bytes: number): { path: string; body: Buffer }[] {
  const mail = { from: 'a@siege.test', to: ['b@siege.test'], subject: 'large' };
  const share = Math.floor((bytes - 2_000) / 2);
  const file = 'QUJD'.repeat(Math.floor(share / 4));
  const attached = { ...mail, text: 'x', attachments: [{ filename: 'a.bin', content: file }] };
  const html = { ...mail, html: '<p>Zwölf Boxkämpfer</p>\n'.repeat(Math.floor(share / 28)), text: 'x' };
  // One character beyond Latin-1 makes a text of twice its size in memory.
  const wide = { ...html, html: `€${html.html}` };
  const numbers = Array.from({ length: Math.min(9_900_000, Math.floor(share / 3)) }, () => 65);
  const listed = { ...mail, text: 'x', attachments: [{ filename: 'b.bin', content: numbers }] };
  return [
    { path: '/emails/batch', body: Buffer.from(JSON.stringify([attached, attached])) },
    { path: '/emails/batch', body: Buffer.from(JSON.stringify([html, wide])) },
    { path: '/emails', body: Buffer.from(JSON.stringify(listed)) },
  ];
}

function head({ key }: Target, path: string, length: number, more = ''): string {
  return `POST ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n${more}content-length: ${length}\r\n\r\n`;
}

/** Resolves with the status of the first answer, or 0 when the connection ends without one. */
function ask({ port }: Target, note: (status: number) => void, write: (socket: Socket) => void): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => write(socket));
    open.add(socket);
    let status = 0;
    socket.on('data', (chunk) => {
      if (status !== 0) return;
      status = Number(/^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1'))?.[1] ?? 0);
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      open.delete(socket);
      note(status);
      resolve(status);
    });
  });
}

const open = new Set<Socket>();

/** In pieces as a network hands them over; stops where the other end has answered or hung up. */
function writeSlowly(socket: Socket, body: Buffer, at = 0): void {
  const piece = 256 * 1024;
  if (socket.destroyed || at >= body.length) return;
  if (socket.write(body.subarray(at, at + piece))) setImmediate(() => writeSlowly(socket, body, at + piece));
  else socket.once('drain', () => writeSlowly(socket, body, at + piece));
}

/** What is still open then is hung up. */
async function forAWhile(connections: Promise<number>[], ms: number): Promise<void> {
  await Promise.race([Promise.all(connections), sleep(ms)]);
  for (const socket of open) socket.destroy();
  await Promise.all(connections);
}
