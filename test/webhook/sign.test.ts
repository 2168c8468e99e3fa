/** Signatures, judged by the verifiers that receivers use. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Resend } from 'resend';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { createWebhookSecret } from '../../src/core/webhook-secret.ts';
import { svixHeaders } from '../../src/webhook/request.ts';

const body = JSON.stringify({ type: 'email.sent', data: { subject: 'Grüße 💌', to: ['a@x.test'] } });
const id = '019a0000-0000-7000-8000-000000000000';

type Signed = Record<'svix-id' | 'svix-timestamp' | 'svix-signature', string>;
type Verify = (secret: string, headers: Signed, payload: string) => unknown;

const verifiers: Record<string, Verify> = {
  'resend.webhooks.verify': (webhookSecret, headers, payload) =>
    new Resend('re_x').webhooks.verify({
      payload,
      webhookSecret,
      headers: {
        id: headers['svix-id'],
        timestamp: headers['svix-timestamp'],
        signature: headers['svix-signature'],
      },
    }),
  svix: (secret, headers, payload) => new SvixWebhook(secret).verify(payload, headers),
  standardwebhooks: (secret, headers, payload) =>
    new StandardWebhook(secret).verify(payload, {
      'webhook-id': headers['svix-id'],
      'webhook-timestamp': headers['svix-timestamp'],
      'webhook-signature': headers['svix-signature'],
    }),
};

const sign = (webhook: Parameters<typeof svixHeaders>[0], at = Date.now()) =>
  svixHeaders(webhook, id, at, body) as Signed;
const fresh = () => ({ secret: createWebhookSecret(randomBytes), previousSecret: null, previousUntil: null });

for (const [name, verify] of Object.entries(verifiers)) {
  describe(name, () => {
    it('accepts what was signed', () => {
      const webhook = fresh();
      assert.deepEqual(verify(webhook.secret, sign(webhook), body), JSON.parse(body));
    });

    it('refuses what was changed: body, id, time, signature, secret', () => {
      const webhook = fresh();
      const headers = sign(webhook);
      const changed: [headers: Signed, payload: string, secret: string][] = [
        [headers, body.replace('email.sent', 'email.sunk'), webhook.secret],
        [{ ...headers, 'svix-id': id.replace('9', '8') }, body, webhook.secret],
        [{ ...headers, 'svix-timestamp': String(Number(headers['svix-timestamp']) - 1) }, body, webhook.secret],
        [{ ...headers, 'svix-signature': `v1,${Buffer.alloc(32).toString('base64')}` }, body, webhook.secret],
        [headers, body, fresh().secret],
      ];
      for (const [index, [some, payload, secret]] of changed.entries()) {
        assert.throws(() => verify(secret, some, payload), `change ${index}`);
      }
    });

    it('accepts both secrets while they overlap, and afterwards only the new one', () => {
      const now = Date.now();
      const old = fresh().secret;
      const webhook = { ...fresh(), previousSecret: old, previousUntil: now + 1 };
      for (const secret of [webhook.secret, old]) assert.ok(verify(secret, sign(webhook, now), body));
      const later = sign({ ...webhook, previousUntil: now }, now);
      assert.ok(verify(webhook.secret, later, body));
      assert.throws(() => verify(old, later, body));
    });
  });
}
