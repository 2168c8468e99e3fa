/** POST /notices/:relay: what a relay with an API of its own tells of mails it took. It counts as what comes back by mail does. */

import type { RelayEntry } from '../../config/relay-entry.ts';
import { AppError } from '../../core/error.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Heard } from '../../evidence/heard.ts';
import { readBrevoEvents } from '../../evidence/told-by-brevo.ts';
import { readResendEvent } from '../../evidence/told-by-resend.ts';
import { readSesEvent } from '../../evidence/told-by-ses.ts';
import type { TakeReport } from '../../use-cases/take-report.ts';
import type { Door } from '../app.ts';
import type { Bodies } from '../bodies.ts';
import { parseJson } from '../body.ts';
import type { HttpContext } from '../call.ts';
import { hasToken, isSvix } from './proofs.ts';
import { isOfSns, readSns } from './sns.ts';

export type NoticeDoorParts = {
  bodies: Bodies;
  /** As RELAYS_FILE is now. */
  findRelay: (name: string) => RelayEntry | null;
  egress: Egress;
  takeReport: TakeReport;
  now: () => number;
};

/** SNS has at most 256 KiB, Brevo puts several events into one. */
const bytesMax = 1024 * 1024;
/** So recent a mail may have left before the relay's answer to us was written down: it is to be told once more. */
const earlyMs = 30_000;
const certificateTerms = { maxBytes: 64 * 1024, timeoutMs: 10_000 };

export function noticesDoor(parts: NoticeDoorParts): Door {
  const certificates = new Map<string, string>();

  async function findCertificate(url: string): Promise<string | null> {
    const known = certificates.get(url);
    if (known !== undefined) return known;
    const fetched = await parts.egress.fetchBytes(url, certificateTerms);
    if (fetched.kind !== 'ok') return null;
    const pem = Buffer.from(fetched.bytes).toString();
    // There is one a region, for a year or so.
    if (certificates.size >= 20) certificates.clear();
    certificates.set(url, pem);
    return pem;
  }

  return (app) => {
    app.post('/notices/:relay', async (context) => {
      const server = upstreamOf(parts, context.req.param('relay'));
      const { bytes, release } = await parts.bodies.read(context.env.incoming, bytesMax);
      try {
        const heard = await hear(parts, { context, server, bytes, findCertificate });
        const taken = await takeAll(parts, context.req.param('relay'), heard, bytes);
        return context.json({ object: 'notices', taken });
      } finally {
        release();
      }
    });
  };
}

type Upstream = { service: string; proof: string };

function upstreamOf({ findRelay }: NoticeDoorParts, name: string): Upstream {
  const relay = findRelay(name);
  const { service, proof = null } = relay?.kind === 'upstream' ? relay.server : { service: '' };
  if (proof !== null) return { service, proof };
  throw new AppError('not_found', 'No relay of this name takes notices: it needs `webhook_secret` or `topic_arn`.');
}

type Hearing = {
  context: HttpContext;
  server: Upstream;
  bytes: Uint8Array;
  findCertificate: (url: string) => Promise<string | null>;
};

/** @throws AppError where it is not from the service. */
async function hear(parts: NoticeDoorParts, { context, server, bytes, findCertificate }: Hearing): Promise<Heard[]> {
  const { headers } = context.env.incoming;
  const { service, proof } = server;
  if (service === 'ses') return hearSns(parts, parseJson(bytes), proof, findCertificate);
  const isProven =
    service === 'brevo' ? hasToken(headers, proof) : isSvix(headers, Buffer.from(bytes).toString(), proof, parts.now());
  if (!isProven) throw unproven();
  return service === 'brevo' ? readBrevoEvents(parseJson(bytes)) : readResendEvent(parseJson(bytes));
}

async function hearSns(
  { egress }: NoticeDoorParts,
  body: unknown,
  topic: string,
  find: Hearing['findCertificate'],
): Promise<Heard[]> {
  const told = await readSns(body, topic, find);
  if (!told) throw unproven();
  if (told.type === 'Notification') return readSesEvent(jsonIn(told.message));
  if (!isOfSns(told.subscribeUrl)) throw unproven();
  const confirmed = await egress.fetchBytes(told.subscribeUrl, certificateTerms);
  if (confirmed.kind !== 'ok') throw new AppError('unavailable', 'The subscription could not be confirmed now.');
  return [];
}

/** SNS says a word of its own where a topic is set up. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function takeAll(
  { takeReport, now }: NoticeDoorParts,
  relay: string,
  heard: readonly Heard[],
  bytes: Uint8Array,
): Promise<number> {
  let taken = 0;
  for (const { upstreamId, envelopeIds, at, notices } of heard) {
    const report = { to: [], envelopeIds, returnPaths: [], notices, subject: '', from: relay };
    const upstream = upstreamId === null ? null : { relay, id: upstreamId };
    const mayBeEarly = at !== null && Math.abs(now() - at) < earlyMs;
    const done = await takeReport(report, { by: 'http', recipient: null, bytes, upstream, mayBeEarly });
    taken += done.notices.length;
  }
  return taken;
}

function unproven(): AppError {
  return new AppError(
    'invalid_api_key',
    'Nothing shows that this is from the service: its secret, token or topic is another one.',
  );
}
