/** Real servers that follow one another, and the ways of the processes to the primary among them: what a failover does to all of these. */

import assert from 'node:assert/strict';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { memoryFolder, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { clusterSettings, follow, followed, hasWhatIsThere, urlAt, waitFor } from '../support/standbys.ts';
import type { Ground } from './fleet.ts';

export type ClusterOptions = {
  standbys?: number;
  /** Commits wait for a standby: for any, where there are several. */
  isSynchronous: boolean;
};

export class Cluster implements Ground {
  /** Half of the processes are led by each: they need not agree on which server is the primary. */
  readonly proxies: PostgresProxy[];
  readonly ways: string[];
  primary: PostgresServer;
  standbys: PostgresServer[] = [];
  readonly #url: string;
  readonly #isSynchronous: boolean;
  /** Whom commits wait for, on whichever server they are made. */
  readonly #awaited: string;
  /** All there have ever been. */
  readonly #servers: PostgresServer[];

  static async start({ standbys = 1, isSynchronous }: ClusterOptions): Promise<Cluster> {
    const primary = await startPostgres(clusterSettings, memoryFolder());
    const url = await primary.createDatabase();
    const proxies = [await startPostgresProxy(url), await startPostgresProxy(url)];
    const cluster = new Cluster(primary, url, proxies, { standbys, isSynchronous });
    for (let standby = 0; standby < standbys; standby++) await cluster.attach();
    return cluster;
  }

  private constructor(
    primary: PostgresServer,
    url: string,
    proxies: PostgresProxy[],
    { standbys, isSynchronous }: Required<ClusterOptions>,
  ) {
    this.primary = primary;
    this.proxies = proxies;
    this.ways = proxies.map((proxy) => proxy.url);
    this.#url = url;
    this.#isSynchronous = isSynchronous;
    this.#awaited = standbys > 1 ? 'ANY 1 (*)' : '*';
    this.#servers = [primary];
  }

  url(): string {
    return urlAt(this.primary, this.#url);
  }

  /** One standby more. Resolves when all follow, and commits wait for them where they are to. */
  async attach(): Promise<void> {
    const standby = await this.primary.follow();
    this.#servers.push(standby);
    this.standbys.push(standby);
    if (this.#isSynchronous) await waitFor(this.primary, this.#awaited);
    await followed(this.primary, this.#isSynchronous, this.standbys.length);
  }

  /** The standby hears nothing any more. Tells, by `performance.now()`, since when commits may be on the primary alone. */
  async holdUpStandby(): Promise<number> {
    const since = performance.now();
    await hasWhatIsThere(this.primary);
    const senders = await this.primary.administer<{ pid: number }>('select pid from pg_stat_replication');
    for (const { pid } of senders) process.kill(pid, 'SIGSTOP');
    return since;
  }

  /** The standby is killed, and comes back by `start`. */
  async killStandby(): Promise<PostgresServer> {
    const standby = this.standbys.shift();
    assert(standby, 'there is a standby');
    await standby.kill();
    return standby;
  }

  /** With a word to whoever is connected, as a process that dies sends it; or without one, as a machine that dies does not. */
  async losePrimary(how: 'dies' | 'vanishes' = 'dies'): Promise<void> {
    if (how === 'vanishes') for (const proxy of this.proxies) proxy.vanish();
    await this.primary.kill();
    if (how === 'dies') for (const proxy of this.proxies) proxy.setDown(true);
  }

  /**
   * The standby that is furthest ahead becomes the primary, and the others follow it. `waits`: commits on it wait for a standby
   * from the first one on, whether or not there is one.
   */
  async promote({ waits = false } = {}): Promise<void> {
    const next = await this.#furthest();
    if (waits) await waitFor(next, this.#awaited);
    await next.administer('select pg_promote()');
    this.standbys = this.standbys.filter((one) => one !== next);
    for (const other of this.standbys) await follow(other, next);
    this.primary = next;
  }

  /** All ways lead to the primary from now on. Tells when that was, by `performance.now()`. */
  point(): number {
    for (const proxy of this.proxies) {
      proxy.pointTo(this.url());
      proxy.setDown(false);
    }
    return performance.now();
  }

  /** One of the ways leads to such a server from now on; null: nowhere. */
  lead(way: PostgresProxy | undefined, server: PostgresServer | null): void {
    if (server) way?.pointTo(urlAt(server, this.#url));
    way?.setDown(server === null);
  }

  async #furthest(): Promise<PostgresServer> {
    const [first, ...others] = this.standbys;
    assert(first, 'there is a standby');
    let best = { server: first, at: await receivedBy(first) };
    for (const server of others) {
      const at = await receivedBy(server);
      if (at > best.at) best = { server, at };
    }
    return best.server;
  }

  kill(): Promise<void> {
    return this.primary.kill();
  }

  start(): Promise<void> {
    return this.primary.start();
  }

  async stop(): Promise<void> {
    for (const proxy of this.proxies) await proxy.close();
    for (const server of this.#servers) await server.stop();
  }
}

async function receivedBy(standby: PostgresServer): Promise<number> {
  const [row] = await standby.administer<{ at: number }>(
    `select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::float8 as at`,
  );
  return row?.at ?? 0;
}
