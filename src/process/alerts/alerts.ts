/** Every ten seconds: looks for troubles, and tells the operator of those that began or ended, once each. */

import type { Alert, TroubleName } from '../../core/alert.ts';
import { log } from '../../log.ts';
import type { Accepting } from '../../use-cases/accept.ts';
import type { Alerts } from '../../use-cases/alerts.ts';
import { findTroubles, type SignsOptions } from './signs.ts';
import { type AlertMail, createWebhookTeller, tellByMail } from './tell.ts';

export type AlertingOptions = SignsOptions & {
  alerts: Alerts;
  accepting: Accepting;
  /** Null: nobody is called this way. */
  webhook: string | null;
  mail: AlertMail | null;
  /** How this server is called in what it tells. */
  instance: () => string;
};

/** Between two tries at a webhook that does not answer. */
const tryAgainMs = 60_000;

export class Alerting {
  readonly #options: AlertingOptions;
  readonly #tell: ((alert: Alert) => Promise<true | string>) | null;
  #seen: TroubleName[] = [];

  constructor(options: AlertingOptions) {
    this.#options = options;
    this.#tell = options.webhook === null ? null : createWebhookTeller(options.webhook, options.instance);
  }

  /** What this process has last seen, for metrics. */
  get troubles(): readonly TroubleName[] {
    return this.#seen;
  }

  async run(): Promise<void> {
    const { alerts } = this.#options;
    const troubles = await findTroubles(this.#options);
    this.#seen = troubles.map(({ name }) => name);
    await alerts.note(troubles);
    // One that fails must not keep the other from being told.
    const results = await Promise.allSettled([this.#byMail(), this.#byWebhook()]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  async #byMail(): Promise<void> {
    const { alerts, accepting, mail, instance } = this.#options;
    if (mail === null) return;
    for (const alert of await alerts.untold('email')) {
      await tellByMail(accepting, mail, alert, instance());
      await alerts.told('email', alert);
    }
  }

  async #byWebhook(): Promise<void> {
    const { alerts } = this.#options;
    if (this.#tell === null) return;
    for (const alert of await alerts.untold('webhook')) {
      if (!(await alerts.claim(alert, tryAgainMs))) continue;
      const answer = await this.#tell(alert);
      if (answer === true) await alerts.told('webhook', alert);
      else log.alertNotTold(alert.name, answer);
    }
  }
}
