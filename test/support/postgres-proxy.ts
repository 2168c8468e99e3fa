/** A TCP proxy before a PostgreSQL server that cuts a connection in the middle of COMMIT, or whenever it is told. */

import { once } from 'node:events';
import net from 'node:net';

/**
 * `before`: the COMMIT is lost; `after`: only the answer to it, `for good`: and the server does not come back. Silence: neither side
 * hears anything more, nor a reset; before the COMMIT has reached the server, or after.
 */
export type Cut = 'before' | 'after' | 'for good' | 'silence' | 'silence after';

export type PostgresProxy = {
  /** The same database, through the proxy. */
  readonly url: string;
  /** The next COMMITs meet these cuts, one each. */
  cutNext(...cuts: Cut[]): void;
  /** The next BEGIN arrives as something the server refuses, as if it had been cancelled. */
  spoilNextBegin(): void;
  /** The server is gone without a word: who is connected, and who connects from now on, hears nothing, nor a reset. */
  vanish(): void;
  /** Leads to another server from now on; who is connected is cut off, unless the server has vanished for them. */
  pointTo(url: string): void;
  /** How many were cut so far. */
  readonly cuts: number;
  /** Refuses new connections and ends the present ones, until told otherwise: then no cut of before is `for good` any more. */
  setDown(down: boolean): void;
  close(): Promise<void>;
};

/** A simple query: type, length, text, NUL. */
const commit = Buffer.from('Q\0\0\0\x0bcommit\0', 'latin1');

export async function startPostgresProxy(url: string): Promise<PostgresProxy> {
  const target = new URL(url.replace('@/', '@localhost/'));
  let socketPath = socketOf(target);
  const sockets = new Set<net.Socket>();
  const clients = new Set<net.Socket>();
  const planned: { cut: Cut; era: number }[] = [];
  let cuts = 0;
  let isSpoiling = false;
  let isDown = false;
  let isVanished = false;
  /** Connections whose other end is gone, and who has not been told. */
  const lonely = new Set<net.Socket>();
  /** Ends whenever the way is open again. */
  let era = 0;

  function spoiled(bytes: Buffer): Buffer {
    const at = bytes.indexOf('begin isolation');
    if (at < 0) return bytes;
    isSpoiling = false;
    const other = Buffer.from(bytes);
    other.write('bogus', at, 'latin1');
    return other;
  }

  function leaveAlone(client: net.Socket): void {
    lonely.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => lonely.delete(client));
    client.resume();
  }

  const server = net.createServer((client) => {
    if (isDown) return void client.destroy();
    if (isVanished) return leaveAlone(client);
    const upstream = net.connect(socketPath);
    const both = [client, upstream];
    const end = () => {
      for (const socket of both) socket.destroy();
    };
    let cut: Cut | null = null;
    let cutEra = 0;
    const isSilent = () => cut?.startsWith('silence') || lonely.has(client);
    clients.add(client);
    client.on('close', () => clients.delete(client));
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        if (!isSilent()) end();
      });
    }
    client.on('data', (bytes: Buffer) => {
      const next = cut === null && bytes.includes(commit) ? planned.shift() : undefined;
      if (next) {
        cut = next.cut;
        cutEra = next.era;
        if (cut === 'before' || isSilent()) cuts += 1;
        if (cut === 'before') return end();
        if (cut === 'silence after') upstream.write(bytes);
      }
      if (!isSilent()) upstream.write(isSpoiling ? spoiled(bytes) : bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      // The answer to COMMIT: its command tag. What it answered before goes with it.
      if ((cut === 'after' || cut === 'for good') && bytes.includes('COMMIT\0')) {
        cuts += 1;
        isDown ||= cut === 'for good' && cutEra === era;
        return end();
      }
      if (!isSilent()) client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `postgres://postgres@127.0.0.1:${port}${target.pathname}`,
    cutNext: (...more) => void planned.push(...more.map((cut) => ({ cut, era }))),
    spoilNextBegin() {
      isSpoiling = true;
    },
    vanish() {
      isVanished = true;
      for (const client of clients) leaveAlone(client);
      for (const socket of sockets) if (!lonely.has(socket)) socket.destroy();
    },
    pointTo(other) {
      socketPath = socketOf(new URL(other.replace('@/', '@localhost/')));
      isVanished = false;
      for (const socket of sockets) if (!lonely.has(socket)) socket.destroy();
    },
    get cuts() {
      return cuts;
    },
    setDown(down) {
      isDown = down;
      if (!down) era += 1;
      if (down) for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of [...sockets, ...lonely]) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function socketOf(url: URL): string {
  return `${url.searchParams.get('host')}/.s.PGSQL.5432`;
}
