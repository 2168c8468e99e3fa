/** What everybody else's failover does: a mail whose verdict did not come is given to the next relay. */

import { Relays } from '../../src/deliver/relays/relays.ts';

/** From now on, in this process. */
export function moveOnLate(): void {
  const { ship } = Relays.prototype;
  Relays.prototype.ship = async function (way, shipment, gate, never) {
    const shipped = await ship.call(this, way, shipment, gate, never);
    if (shipped.outcome.phase !== 'in_doubt') return shipped;
    for (const other of way.filter(({ name }) => name !== shipped.tried.relay)) {
      const outcome = await other.ship(shipment, async () => true);
      if (outcome.phase === 'verdict') return { ...shipped, outcome };
    }
    return shipped;
  };
}
