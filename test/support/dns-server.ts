/** A small honest DNS server over UDP, with a zone that tests write. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import dnsPacket, { type Answer, type RecordType } from 'dns-packet';

/** What a name has; `servfail`: nobody can say. A name that is not in the zone does not exist. */
export type Records = {
  mx?: [priority: number, host: string][];
  a?: string[];
  txt?: string[];
  servfail?: true;
};

export type DnsServer = {
  /** `127.0.0.1:PORT`. */
  readonly at: string;
  readonly port: number;
  readonly zone: Map<string, Records>;
  /** `NAME TYPE` of each question. */
  readonly asked: string[];
  close(): Promise<void>;
};

export async function startDnsServer(zone: Record<string, Records> = {}, port = 0): Promise<DnsServer> {
  const records = new Map(Object.entries(zone));
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const question = dnsPacket.decode(bytes);
    const [one] = question.questions ?? [];
    if (!one) return;
    asked.push(`${one.name} ${one.type}`);
    const { answers, rcode } = answerTo(records.get(one.name.toLowerCase()), one.name, one.type);
    const reply = { type: 'response' as const, id: question.id, flags: 0x0100 | 0x0080 | rcode };
    socket.send(dnsPacket.encode({ ...reply, questions: [one], answers }), from.port, from.address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  const own = (socket.address() as AddressInfo).port;
  return {
    at: `127.0.0.1:${own}`,
    port: own,
    zone: records,
    asked,
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

/** RFC 1035 4.1.1: 2 nobody can say, 3 there is no such name. */
function answerTo(records: Records | undefined, name: string, type: RecordType): { answers: Answer[]; rcode: number } {
  if (name === '' || name === '.') return { answers: [], rcode: 0 };
  if (!records) return { answers: [], rcode: 3 };
  if (records.servfail) return { answers: [], rcode: 2 };
  return { answers: answersOf(records, name, type), rcode: 0 };
}

function answersOf({ mx = [], a = [], txt = [] }: Records, name: string, type: RecordType): Answer[] {
  if (type === 'MX') {
    return mx.map(([preference, exchange]) => ({ type: 'MX', name, ttl: 1, data: { preference, exchange } }));
  }
  if (type === 'A') return a.map((data) => ({ type: 'A', name, ttl: 1, data }));
  return type === 'TXT' ? txt.map((text) => ({ type: 'TXT', name, ttl: 1, data: piecesOf(text) })) : [];
}

/** RFC 1035 3.3: a piece has a byte for its length. */
function piecesOf(text: string): string[] {
  return text.match(/.{1,255}/gs) ?? [''];
}
