/**
 * Which promotions this process has seen. A primary that another one has succeeded may come back, and would take what is written
 * to it: what is accepted and sent there the new primary never knows. Who has worked on the new one does not go back.
 */

import { type ServerFacts, ServerRefused } from './server-facts.ts';

type Place = Pick<ServerFacts, 'system' | 'timeline'>;

export class Succession {
  /** The latest timeline of each cluster: a database may be moved to another one. */
  readonly #latest = new Map<string, string>();

  /** A transaction of this process has committed there. */
  worked({ system, timeline }: Place): void {
    if (system === null || timeline === null) return;
    if (timeline > (this.#latest.get(system) ?? '')) this.#latest.set(system, timeline);
  }

  isSucceeded({ system, timeline }: Place): boolean {
    const latest = this.#latest.get(system ?? '');
    return latest !== undefined && timeline !== null && timeline < latest;
  }

  /** @throws ServerRefused */
  refuseSucceeded(place: Place): void {
    if (!this.isSucceeded(place)) return;
    throw new ServerRefused(
      `it is a former primary (timeline ${place.timeline}), and another was promoted since (${this.#latest.get(place.system ?? '')}). Lead to the present primary; to go back to this one on purpose, restart all processes`,
    );
  }
}
