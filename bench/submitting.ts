/** Line submissions: mails over SMTP beside the same sends over HTTP, of one server. */

import { createServer } from 'node:net';
import { join } from 'node:path';
import { createSender, measured, type Plan } from './accepting.ts';
import { startHelper, startSendonce } from './child.ts';
import type { LoadOrder, LoadReport } from './load.ts';
import { createMail } from './mails.ts';
import { apiKey, singleRequests } from './requests.ts';
import { compare, type Summary } from './rounds.ts';
import type { SmtpLoadOrder } from './smtp-load.ts';

const connections = 50;

export async function compareSubmissions(plan: Plan): Promise<Summary> {
  const port = await freePort();
  const settings = {
    ROLE: 'api',
    DATABASE_URL: `sqlite:${join(plan.folder, 'submissions.db')}`,
    SENDONCE_API_KEY: apiKey,
  };
  const sendonce = await startSendonce({ ...settings, LISTEN_SMTP: `127.0.0.1:${port}` }, plan.flags);
  const generator = (await startHelper<LoadOrder, LoadReport>('load')).helper;
  const submitter = (await startHelper<SmtpLoadOrder, LoadReport>('smtp-load')).helper;
  const overHttp = createSender(generator, sendonce, { connections, ...singleRequests('send', createMail) });
  const mail = { from: 'billing@acme.example', to: 'customer@mail.example', mail: written() };
  let submitted = 0;
  const overSmtp = async (durationMs: number) => {
    const order = { port, apiKey, connections, ...mail, fromKey: submitted, durationMs };
    const round = await measured(sendonce, () => submitter.ask(order));
    submitted += round.done;
    return round;
  };
  await overHttp.run(plan.warmUpMs);
  await overSmtp(plan.warmUpMs);
  const summary = await compare({
    what: 'keyed submissions of 2 kB over SMTP, 50 connections : the same sends over HTTP',
    aim: 0.3,
    rounds: plan.rounds,
    subject: () => overSmtp(plan.roundMs),
    baseline: () => overHttp.run(plan.roundMs),
  });
  await Promise.all([sendonce.stop(), generator.stop(), submitter.stop()]);
  return summary;
}

function written(): string {
  const { from, to, subject, html, text = '' } = createMail(1);
  const parts = [text, html].map((part, index) => {
    const type = index === 0 ? 'plain' : 'html';
    return `--part\r\nContent-Type: text/${type}; charset=utf-8\r\n\r\n${part.replaceAll('\n', '\r\n')}\r\n`;
  });
  const head = `From: ${from}\r\nTo: ${to}\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n`;
  return `${head}Content-Type: multipart/alternative; boundary=part\r\n\r\n${parts.join('')}--part--\r\n`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
