/** A message of Amazon SNS: whether it is from there, and from our topic. docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html */

import { createVerify, X509Certificate } from 'node:crypto';
import { isJson, type Json, textIn } from '../../evidence/heard.ts';

export type SnsMessage = { type: string; topic: string; message: string; subscribeUrl: string };

/** What a certificate's URL leads to, as PEM; null where it leads nowhere. */
export type FindCertificate = (url: string) => Promise<string | null>;

const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
};

/** A subdomain of anything else, or of a bucket's, is a stranger's. */
const host = /^sns\.[a-z]{2}(?:-[a-z]+)+-\d{1,2}\.amazonaws\.com(?:\.cn)?$/;

/** An https URL of SNS itself, and of nobody who has something else at Amazon. */
export function isOfSns(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url?.protocol === 'https:' && url.port === '' && url.username === '' && host.test(url.hostname);
}

/** Null: it is no message of this topic, or Amazon has not signed it. The topic first: nobody makes us fetch anything for another one. */
export async function readSns(body: unknown, topic: string, find: FindCertificate): Promise<SnsMessage | null> {
  if (!isJson(body) || textIn(body.TopicArn) !== topic) return null;
  const type = textIn(body.Type);
  const fields = Object.hasOwn(fieldsOf, type) ? fieldsOf[type] : undefined;
  const certificateUrl = textIn(body.SigningCertURL);
  if (!fields || !isOfSns(certificateUrl) || !certificateUrl.endsWith('.pem')) return null;
  const pem = await find(certificateUrl);
  if (pem === null || !isSigned(body, fields, pem)) return null;
  return { type, topic, message: textIn(body.Message), subscribeUrl: textIn(body.SubscribeURL) };
}

function isSigned(body: Json, fields: readonly string[], pem: string): boolean {
  const algorithm = { '1': 'RSA-SHA1', '2': 'RSA-SHA256' }[textIn(body.SignatureVersion)];
  if (algorithm === undefined) return false;
  const verify = createVerify(algorithm);
  for (const name of fields) {
    // Left out where the message has none.
    if (typeof body[name] === 'string') verify.update(`${name}\n${body[name]}\n`);
  }
  try {
    return verify.verify(new X509Certificate(pem).publicKey, textIn(body.Signature), 'base64');
  } catch {
    return false;
  }
}
