/** What Amazon tells through SNS: signed by it, from our topic, and read as notices. */

import assert from 'node:assert/strict';
import { createSign } from 'node:crypto';
import { describe, it } from 'node:test';
import { readSesEvent } from '../../src/evidence/told-by-ses.ts';
import { isOfSns, readSns } from '../../src/http/notices/sns.ts';
import { testCertificate, testCertificateKey } from '../support/certificate.ts';

const topic = 'arn:aws:sns:eu-west-1:123456789012:notices';
const certificateUrl = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem';

/** As Amazon signs, with a key of the tests. */
function signed(change: Record<string, string> = {}): Record<string, string> {
  const message: Record<string, string> = {
    Type: 'Notification',
    MessageId: 'm-1',
    TopicArn: topic,
    Message: '{"some":"thing"}',
    Timestamp: '2026-11-30T10:00:00.000Z',
    SignatureVersion: '2',
    SigningCertURL: certificateUrl,
    ...change,
  };
  const names =
    message.Type === 'Notification'
      ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
      : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];
  const text = names.flatMap((name) => (name in message ? [`${name}\n${message[name]}\n`] : [])).join('');
  const hash = message.SignatureVersion === '2' ? 'sha256' : 'sha1';
  return { ...message, Signature: createSign(hash).update(text).sign(testCertificateKey, 'base64') };
}

const asked: string[] = [];
const find = async (url: string) => {
  asked.push(url);
  return url === certificateUrl ? testCertificate : null;
};

describe('a message of SNS', () => {
  it('is taken where Amazon signed it, by either version, with a subject or without', async () => {
    const changes: Record<string, string>[] = [{}, { SignatureVersion: '1' }, { Subject: 'Amazon SES' }];
    for (const change of changes) {
      assert.equal((await readSns(signed(change), topic, find))?.message, '{"some":"thing"}');
    }
    const confirmation = {
      Type: 'SubscriptionConfirmation',
      Token: 't',
      SubscribeURL: 'https://sns.eu-west-1.amazonaws.com/?x',
    };
    const told = await readSns(signed(confirmation), topic, find);
    assert.deepEqual([told?.type, told?.subscribeUrl], ['SubscriptionConfirmation', confirmation.SubscribeURL]);
  });

  it('is not where anything in it was changed, or its topic is another one', async () => {
    for (const change of [{ Message: 'other' }, { Timestamp: '2027' }, { Signature: 'AAAA' }, { Subject: 'added' }]) {
      assert.equal(await readSns({ ...signed(), ...change }, topic, find), null);
    }
    assert.equal(await readSns(signed({ TopicArn: `${topic}2` }), topic, find), null);
    assert.equal(await readSns(signed({ Type: 'constructor' }), topic, find), null);
    assert.equal(await readSns('text', topic, find), null);
  });

  it('has nobody ask for a certificate elsewhere', async () => {
    asked.length = 0;
    const strangers = [
      'http://sns.eu-west-1.amazonaws.com/a.pem',
      'https://sns.eu-west-1.amazonaws.com.evil.example/a.pem',
      'https://evil.s3.amazonaws.com/a.pem',
      'https://sns.eu-west-1.amazonaws.com@evil.example/a.pem',
      'https://sns.eu-west-1.amazonaws.com:8443/a.pem',
      'https://evilsns.eu-west-1.amazonaws.com/a.pem',
      'https://sns.eu-west-1.amazonaws.com/a.pem?x',
      'file:///etc/passwd',
    ];
    for (const SigningCertURL of strangers) assert.equal(await readSns(signed({ SigningCertURL }), topic, find), null);
    assert.deepEqual(asked, []);
    assert.equal(isOfSns('https://sns.cn-north-1.amazonaws.com.cn/a.pem'), true);
  });
});

describe('what SES tells', () => {
  const mail = {
    timestamp: '2026-11-30T10:00:00.000Z',
    messageId: '0102-ses',
    destination: ['a@example.org', 'b@example.org'],
    tags: { 'sendonce-delivery': ['019a.0.mac'], 'ses:source-ip': ['1.2.3.4'] },
  };
  const bounced = (bounceType: string) => ({
    bounceType,
    bouncedRecipients: [{ emailAddress: 'a@example.org', status: '5.1.1', diagnosticCode: 'smtp; 550 5.1.1 unknown' }],
  });

  it('is a notice for each recipient, by the tag that carries our MAC and by its own id', () => {
    const [one] = readSesEvent({ eventType: 'Bounce', mail, bounce: bounced('Permanent') });
    assert.deepEqual(
      [one?.upstreamId, one?.envelopeIds, one?.at],
      ['0102-ses', ['019a.0.mac'], Date.parse(mail.timestamp)],
    );
    const [notice] = one?.notices ?? [];
    assert.deepEqual(
      [notice?.kind, notice?.recipients, notice?.reply.said],
      ['bounced', ['a@example.org'], { class: 'permanent', code: 550, enhanced: '5.1.1' }],
    );
    const [soft] = readSesEvent({ notificationType: 'Bounce', mail, bounce: bounced('Transient') });
    assert.equal(soft?.notices[0]?.reply.said?.class, 'transient');
  });

  it('is a delivery, a delay, a complaint, a refusal; and nothing else', () => {
    const kindsOf = (more: Record<string, unknown>) =>
      readSesEvent({ mail, ...more }).flatMap(({ notices }) =>
        notices.map(({ kind, recipients }) => [kind, ...recipients]),
      );
    const delivery = { recipients: ['a@example.org'], smtpResponse: '250 2.0.0 OK' };
    assert.deepEqual(kindsOf({ notificationType: 'Delivery', delivery }), [['delivered', 'a@example.org']]);
    const deliveryDelay = { delayedRecipients: [{ emailAddress: 'b@example.org', status: '4.4.1' }] };
    assert.deepEqual(kindsOf({ eventType: 'DeliveryDelay', deliveryDelay }), [['delayed', 'b@example.org']]);
    const complaint = { complainedRecipients: [{ emailAddress: 'a@example.org' }], complaintFeedbackType: 'abuse' };
    assert.deepEqual(kindsOf({ eventType: 'Complaint', complaint }), [['complained', 'a@example.org']]);
    const praise = { ...complaint, complaintFeedbackType: 'not-spam' };
    assert.deepEqual(kindsOf({ eventType: 'Complaint', complaint: praise }), []);
    assert.deepEqual(kindsOf({ eventType: 'Reject', reject: { reason: 'Bad content' } }).length, 2);
    for (const odd of [{ eventType: 'Open' }, { eventType: 'Bounce', bounce: 7 }, {}])
      assert.deepEqual(kindsOf(odd), []);
    assert.deepEqual(readSesEvent(null), []);
  });
});
