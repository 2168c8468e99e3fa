/** What metrics are read from when somebody asks for them. */

import { createMetrics, type MetricSources, type Metrics } from '../metrics.ts';
import type { Database } from '../store/database.ts';
import { countOpen } from '../store/mail/open.ts';
import { findLongestDue } from '../store/page/overview.ts';
import { listRates, type RelayToRead } from '../store/relay-status.ts';
import { countWebhooks } from '../store/webhooks/history.ts';
import type { Hangs } from './health.ts';

type MetricsOptions = Pick<MetricSources, 'isUp' | 'captures' | 'patienceMs' | 'troubles'> & {
  hangs: Hangs;
  relays: () => readonly RelayToRead[];
};

export function metricsOf(database: Database, { hangs, relays, ...own }: MetricsOptions): Metrics {
  return createMetrics({
    ...own,
    hang: () => hangs.now,
    openByState: () => countOpen(database),
    webhooks: () => countWebhooks(database),
    oldestDue: () => findLongestDue(database),
    rates: () => listRates(database, relays(), database.wall()),
    now: () => database.wall(),
  });
}
