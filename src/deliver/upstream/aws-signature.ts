/** AWS Signature Version 4: a request signed by what it says, where and when. docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */

import { createHash, createHmac } from 'node:crypto';

export type ToSign = {
  method: string;
  /** Encoded as it is sent; of a query likewise, sorted by name. */
  path: string;
  query?: string;
  /** All that are to be signed, `host` among them; names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | string;
};

export type Signer = { accessKeyId: string; secretAccessKey: string; region: string; service: string };

/** What is to be sent beside `headers`. */
export function signed(request: ToSign, signer: Signer, now: Date): { 'x-amz-date': string; authorization: string } {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const headers = Object.entries({ ...request.headers, 'x-amz-date': time }).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = headers.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    request.path,
    request.query ?? '',
    ...headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    hash(request.body),
  ].join('\n');
  const { region, service, accessKeyId, secretAccessKey } = signer;
  const scope = [time.slice(0, 8), region, service, 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), hash(canonical)].join('\n');
  const key = scope.reduce<Buffer>((last, part) => hmac(last, part), Buffer.from(`AWS4${secretAccessKey}`));
  const signature = hmac(key, toSign).toString('hex');
  const credential = `Credential=${accessKeyId}/${scope.join('/')}`;
  return {
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hash(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
