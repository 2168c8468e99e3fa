/** What delivering is compared with: nodemailer's own pooled transport, which stores nothing. */

import nodemailer from 'nodemailer';
import { serveHelper } from './child.ts';
import { type Delivered, delivered } from './mails.ts';

export type SendOrder = { from: number; count: number };

const [kind = 'note', ...numbers] = process.argv.slice(2) as [Delivered, ...string[]];
const [port, connections] = numbers.map(Number);
const transport = nodemailer.createTransport({
  host: '127.0.0.1',
  port,
  pool: true,
  maxConnections: connections,
});

/** Mails in the pool's queue for each connection: enough that none waits, few enough that nothing piles up. */
const queued = 3;

/** As its users have them: files are bytes. */
function mailOf(number: number) {
  const { attachments, ...mail } = delivered[kind](number);
  if (!attachments) return mail;
  return { ...mail, attachments: attachments.map((one) => ({ ...one, content: Buffer.from(one.content, 'base64') })) };
}

serveHelper<SendOrder, 'ready' | 'sent'>('ready', async ({ from, count }) => {
  let next = from;
  const feed = async () => {
    while (next < from + count) {
      const { accepted } = await transport.sendMail(mailOf(next++));
      if (accepted.length !== 1) throw new Error('the sink refused a mail');
    }
  };
  await Promise.all(Array.from({ length: queued * (connections ?? 1) }, feed));
  return 'sent';
});
