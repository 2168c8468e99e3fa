/** A relay and the sink it speaks to, with mails to send and gates to pass: what the SMTP tests start from. */

import type { TestContext } from 'node:test';
import type { EnvelopeReply, Outcome } from '../../src/core/outcome.ts';
import type { Gate, Relay, Shipment } from '../../src/deliver/relay.ts';
import { createSmtpRelay, type SmtpRelayOptions } from '../../src/deliver/smtp.ts';
import { type Sink, type SinkOptions, startSink } from './smtp-sink.ts';

export type Rig = { sink: Sink; relay: Relay };

export async function rig(
  t: TestContext,
  sinkOptions: SinkOptions = {},
  options: Partial<SmtpRelayOptions> = {},
): Promise<Rig> {
  const sink = await startSink(sinkOptions);
  const relay = createSmtpRelay({ host: '127.0.0.1', port: sink.port, secure: false, auth: null, ...options });
  t.after(async () => {
    await relay.close();
    await sink.close();
  });
  return { sink, relay };
}

export function mail(
  name: string,
  { to = ['to@example.com'], body = 'Hello.\r\n' } = {},
): Shipment & { bytes: Buffer } {
  const header = `Message-ID: <${name}@example.com>\r\nFrom: from@example.com\r\nSubject: ${name}\r\n\r\n`;
  const bytes = Buffer.from(header + body);
  return { envelope: { from: 'from@example.com', to }, bytes, pieces: [bytes], envelopeId: name };
}

export const openGate: Gate = async () => true;

/** Remembers what it was asked, and opens or not. */
export function watchedGate(answer: boolean | Error | Promise<boolean> = true): { gate: Gate; asked: EnvelopeReply[] } {
  const asked: EnvelopeReply[] = [];
  const gate: Gate = async (reply) => {
    asked.push(reply);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { gate, asked };
}

/** A promise and what settles it. */
export function signal<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** The words that came with an outcome. */
export function wordsOf(outcome: Outcome): string {
  if ('reply' in outcome) return outcome.reply.text;
  if (outcome.phase === 'refused') return outcome.refused[0]?.reply.text ?? '';
  return 'reason' in outcome ? outcome.reason : '';
}
