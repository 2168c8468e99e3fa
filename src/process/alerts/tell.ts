/** Tells an operator of a trouble: by a request to ALERT_WEBHOOK, and by a mail through the same queue as all others. */

import { type Alert, alertId, nextOf, titleOf } from '../../core/alert.ts';
import type { Message } from '../../core/email.ts';
import { createEgress } from '../../egress/egress.ts';
import type { Accepting } from '../../use-cases/accept.ts';
import { type Endpoint, requestTo } from '../../use-cases/submission.ts';

const limits = { maxBytes: 1_024, timeoutMs: 10_000 };

/** True: it was taken. Who names the address in the settings may mean a machine inside. */
export function createWebhookTeller(url: string, instance: () => string): (alert: Alert) => Promise<true | string> {
  const egress = createEgress({ allow: ['0.0.0.0/0', '::/0'] });
  return async (alert) => {
    const body = JSON.stringify(payloadOf(alert, instance()));
    const headers = { 'content-type': 'application/json', 'user-agent': 'Sendonce-Alerts/1' };
    const answer = await egress.request({ method: 'POST', url, headers, body, ...limits });
    if (answer.kind !== 'ok') return answer.kind;
    return answer.status >= 200 && answer.status < 300 ? true : `HTTP ${answer.status}`;
  };
}

/** `text` is what Slack, Mattermost and their like show. */
function payloadOf(alert: Alert, instance: string): Record<string, unknown> {
  const { name, figure, beganAt, endedAt } = alert;
  const next = nextOf(alert);
  return {
    type: endedAt === null ? 'alert.began' : 'alert.ended',
    id: alertId(alert),
    name,
    figure,
    began_at: new Date(beganAt).toISOString(),
    ended_at: endedAt === null ? null : new Date(endedAt).toISOString(),
    instance,
    text: [`Sendonce (${instance}): ${titleOf(alert)}`, next].filter(Boolean).join(' '),
  };
}

const endpoint: Endpoint = {
  facade: 'alerts',
  name: 'ALERT',
  // Longer than any process could take to find out that it was told already.
  keyTerms: { lifetimeMs: 24 * 60 * 60_000, followsSchedule: false },
  differences: null,
};

export type AlertMail = { account: string; from: string; to: string[] };

/** Once for each change, whichever process does it: the change is the key. */
export async function tellByMail(
  accepting: Accepting,
  { account, from, to }: AlertMail,
  alert: Alert,
  instance: string,
): Promise<void> {
  const json = { id: alertId(alert), began: alert.beganAt };
  const client = { caller: { account }, userAgent: null, requestId: undefined, traceparent: null };
  const key = `alert ${alert.beganAt} ${alertId(alert)}`;
  const request = requestTo(endpoint, client, { key, body: Buffer.from(JSON.stringify(json)), json });
  const found = await accepting.lookUp(request);
  if (found.kind !== 'new') return;
  const submission = {
    messages: [messageOf(alert, { from, to }, instance)],
    answer: () => ({ status: 200, body: '' }),
  };
  await accepting.commit(found, Promise.resolve(submission));
}

function messageOf(alert: Alert, { from, to }: Pick<AlertMail, 'from' | 'to'>, instance: string): Message {
  const next = nextOf(alert);
  const state = alert.endedAt === null ? 'trouble' : 'over';
  return {
    from,
    to,
    cc: [],
    bcc: [],
    replyTo: [],
    subject: `[Sendonce ${state}] ${titleOf(alert).split(':')[0]}`,
    html: null,
    text: [titleOf(alert), next, `Since ${new Date(alert.beganAt).toISOString()}, at ${instance}.`]
      .filter(Boolean)
      .join('\n\n'),
    // RFC 3834: no vacation notice comes back.
    headers: [['Auto-Submitted', 'auto-generated']],
    tags: [],
    topicId: null,
    attachments: [],
    scheduledText: null,
    scheduledAt: null,
  };
}
