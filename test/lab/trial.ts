/** A fleet on a cluster under load: what the scenarios of failovers have in common. */

import { Cluster, type ClusterOptions } from './cluster.ts';
import { Fleet, type Ground } from './fleet.ts';
import { pause } from './load.ts';
import { type LifeOptions, thoughtful } from './world.ts';

export type FleetTrialOptions = Pick<LifeOptions, 'seed' | 'command' | 'speed' | 'moods' | 'hasPeople'>;
export type TrialOptions = FleetTrialOptions & ClusterOptions;

/** As SDKs do: what hangs is answered late, and the answer counts. */
const answerMs = 10_000;

/** New requests, one after the other, until each API process has accepted one. */
const knockEveryMs = 50;
const acceptsMsMax = 60_000;

export class Trial<Servers extends Ground = Cluster> {
  readonly cluster: Servers;
  readonly fleet: Fleet;
  /** Of each failover. */
  readonly acceptsAgainMs: number[] = [];

  static async start({ isSynchronous, standbys = 1, ...options }: TrialOptions): Promise<Trial> {
    return Trial.on(await Cluster.start({ isSynchronous, standbys }), options);
  }

  static async on<Servers extends Ground>(cluster: Servers, options: FleetTrialOptions): Promise<Trial<Servers>> {
    const life = { moods: thoughtful, clients: 8, answerMs, ...options };
    const fleet = await Fleet.start({ apis: 2, workers: 2, ...life }, cluster);
    fleet.begin();
    return new Trial(cluster, fleet);
  }

  private constructor(cluster: Servers, fleet: Fleet) {
    this.cluster = cluster;
    this.fleet = fleet;
  }

  /** Under load for a while. */
  async work(ms = 1_000): Promise<void> {
    await this.fleet.load.answeredMore(50);
    await this.pause(ms, 2 * ms);
  }

  pause(leastMs: number, mostMs: number): Promise<void> {
    return pause(leastMs + this.fleet.random() * (mostMs - leastMs));
  }

  /** Resolves when each API process has accepted what was asked for since; how long that took is noted. */
  async acceptsAgain(since: number): Promise<void> {
    const { load, members, violations } = this.fleet;
    const seen = load.accepted.length;
    for (;;) {
      load.knock();
      await pause(knockEveryMs);
      const fresh = load.accepted.slice(seen).filter(({ begunAt }) => begunAt > since);
      const apis = members.filter(({ role }) => role === 'api');
      const firsts = apis.map(({ url }) => fresh.find(({ answeredBy }) => answeredBy === url)?.answeredAt ?? null);
      const tookMs = Math.max(...firsts.map((at) => (at ?? Number.POSITIVE_INFINITY) - since));
      if (Number.isFinite(tookMs)) return void this.acceptsAgainMs.push(tookMs);
      if (performance.now() - since < acceptsMsMax) continue;
      return void violations.push(`a minute after a failover some process still accepts nothing`);
    }
  }

  async destroy(): Promise<void> {
    await this.fleet.destroy();
  }
}
