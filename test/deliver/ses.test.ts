/** SES over its API: signed as AWS says, the mail as it is, and what its answers come to. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { outcomeName } from '../../src/core/outcome.ts';
import type { Relay } from '../../src/deliver/relay.ts';
import { signed } from '../../src/deliver/upstream/aws-signature.ts';
import { createUpstream } from '../../src/deliver/upstream/upstream.ts';
import { type SesServer, startSesServer } from '../support/ses-server.ts';
import { mail, openGate } from '../support/smtp-rig.ts';

const own = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

async function open(t: TestContext, secret = own.secretAccessKey): Promise<{ ses: SesServer; relay: Relay }> {
  const ses = await startSesServer(own);
  const relay = createUpstream({
    service: 'ses',
    host: '127.0.0.1',
    port: ses.port,
    isSecure: false,
    apiKey: secret,
    aws: { accessKeyId: own.accessKeyId, region: 'eu-west-1' },
    concurrency: 2,
  });
  t.after(async () => {
    await relay.close();
    await ses.close();
  });
  return { ses, relay };
}

describe('a signature', () => {
  it('is what the documentation of AWS has for its example', () => {
    const request = {
      method: 'GET',
      path: '/',
      query: 'Action=ListUsers&Version=2010-05-08',
      headers: { host: 'iam.amazonaws.com', 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body: '',
    };
    const signer = { ...own, region: 'us-east-1', service: 'iam' };
    assert.deepEqual(signed(request, signer, new Date('2015-08-30T12:36:00Z')), {
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    });
  });
});

describe('SES', () => {
  it('takes the mail as it is, for whom the envelope says, with the delivery as a tag', async (t) => {
    const { ses, relay } = await open(t);
    const shipment = mail('one');
    const outcome = await relay.ship(shipment, openGate);
    assert(outcome.phase === 'verdict');
    assert.equal(outcome.id, 'ses-1');
    const [taken] = ses.taken;
    assert.equal(taken?.mail, Buffer.concat(shipment.pieces).toString('latin1'));
    assert.deepEqual(taken?.to, shipment.envelope.to);
    assert.deepEqual(taken?.tags, [{ Name: 'sendonce-delivery', Value: shipment.envelopeId }]);
    assert.equal(await relay.probe?.(), null);
    assert.equal(relay.repeatsForMs, undefined);
  });

  it('has nothing where the gate stays shut', async (t) => {
    const { ses, relay } = await open(t);
    assert.equal((await relay.ship(mail('one'), async () => false)).phase, 'fenced');
    assert.equal(ses.taken.length, 0);
  });

  it('that does not know our signature is a refused login', async (t) => {
    const { relay } = await open(t, 'another');
    const outcome = await relay.ship(mail('one'), openGate);
    assert(outcome.phase === 'unreached' && outcome.isAway);
    assert.equal(outcome.reply.said.problem, 'login');
    assert.equal((await relay.probe?.())?.said.problem, 'login');
  });

  it('is understood, whatever it says', async (t) => {
    const { ses, relay } = await open(t);
    const cases: [string, NonNullable<SesServer['says']>][] = [
      [
        'deferred',
        () => ({ status: 429, type: 'TooManyRequestsException', message: 'Maximum sending rate exceeded.' }),
      ],
      ['deferred', () => ({ status: 400, type: 'LimitExceededException', message: 'quota' })],
      ['bounced', () => ({ status: 400, type: 'MessageRejected', message: 'Message contains a virus' })],
      ['unreached', () => ({ status: 400, type: 'MessageRejected', message: 'Email address is not verified.' })],
      ['unreached', () => ({ status: 400, type: 'SendingPausedException:http://x', message: 'paused' })],
      ['in_doubt', () => ({ status: 500, type: 'InternalFailure', message: 'try again' })],
      ['in_doubt', () => null],
    ];
    for (const [expected, says] of cases) {
      ses.says = says;
      assert.equal(outcomeName(await relay.ship(mail('one'), openGate)), expected, `${says()?.message}`);
    }
  });
});
