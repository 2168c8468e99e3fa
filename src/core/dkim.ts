/** Signs a composed email as its domain (DKIM: RFC 6376, and RFC 8463 for Ed25519); the same bytes give the same signature. */

import assert from 'node:assert/strict';
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';

export type DkimKey = { domain: string; selector: string; privateKeyPem: string };

export type DkimSigner = {
  /** What it was made of: threads make it again. */
  keys: readonly DkimKey[];
  /**
   * The DKIM-Signature field with its CRLF, to stand before `headers`, the header block exactly as it leaves (each field ends in
   * CRLF, no empty line after the last). `bodyHash` is `hashBody` of what follows the empty line.
   */
  sign(headers: string, bodyHash: string, signedAtMs: number): string;
};

/** Signs what an account sends from a domain; null: nothing does, or the domain is another account's. */
export type SignerFor = (account: string, domain: string) => Promise<DkimSigner | null>;

/** Verifiers refuse less (RFC 8301 3.2). */
const rsaBitsMin = 1024;
const lineLengthMax = 76;

/** RFC 6376 5.4.1, what gives a part its meaning, and what mailbox providers want signed for one-click unsubscribing (RFC 8058). */
const signedNames = [
  ...['from', 'to', 'cc', 'reply-to', 'sender', 'subject', 'date', 'message-id', 'in-reply-to', 'references'],
  ...['mime-version', 'content-type', 'content-transfer-encoding'],
  ...['list-id', 'list-unsubscribe', 'list-unsubscribe-post'],
];

/** Throws when the key is unreadable, neither RSA nor Ed25519, or too short; when domain or selector are no domain names. */
export function createDkimSigner(made: DkimKey): DkimSigner {
  const { domain, selector, privateKeyPem } = made;
  const key = createPrivateKey(privateKeyPem);
  const algorithm = algorithmOf(key);
  for (const name of [domain, selector]) {
    assert(/^[A-Za-z0-9](?:[\w.-]{0,251}[A-Za-z0-9])?$/.test(name), `not a name in DNS that DKIM could use: ${name}`);
  }

  return {
    keys: [made],
    sign(headers, bodyHash, signedAtMs) {
      const fields = signedFields(headers);
      // One `from` more than there is: a second From added on the way breaks the signature (RFC 6376 8.15).
      const names = [...fields.map(nameOf), 'from'];
      const unsigned = foldTags([
        ...['v=1', `a=${algorithm}`, 'c=relaxed/relaxed', `d=${domain}`, `s=${selector}`],
        `t=${Math.floor(signedAtMs / 1000)}`,
        `h=${names.join(':')}`,
        `bh=${bodyHash}`,
        'b=',
      ]);
      const signedText = `${fields.map(relaxField).join('\r\n')}\r\n${relaxField(unsigned)}`;
      return `${unsigned}${foldSignature(signatureOf(key, signedText))}\r\n`;
    },
  };
}

/** A signature by each key: a verifier takes the one it can check (RFC 8463 3), and new selectors stand beside old ones. */
export function createDkimSigners(keys: readonly DkimKey[]): DkimSigner {
  const signers = keys.map(createDkimSigner);
  return { keys, sign: (headers, hash, at) => signers.map((one) => one.sign(headers, hash, at)).join('') };
}

function algorithmOf(key: KeyObject): 'rsa-sha256' | 'ed25519-sha256' {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519-sha256';
  assert(key.asymmetricKeyType === 'rsa', `a DKIM key is RSA or Ed25519, not ${key.asymmetricKeyType}`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  assert(bits >= rsaBitsMin, `a DKIM key of ${bits} bits is refused by verifiers: ${rsaBitsMin} at least`);
  return 'rsa-sha256';
}

function signatureOf(key: KeyObject, text: string): string {
  if (key.asymmetricKeyType === 'rsa') return sign('sha256', Buffer.from(text), key).toString('base64');
  // RFC 8463 3: PureEdDSA over the SHA-256, not over the text.
  return sign(null, createHash('sha256').update(text).digest(), key).toString('base64');
}

/** The fields to sign in the order of `h=`; of several with one name the last comes first (RFC 6376 5.4.2). */
function signedFields(headers: string): string[] {
  const fields = headers.split(/\r\n(?![ \t])/).filter((field) => field !== '');
  const named = fields.reverse().map((field) => ({ name: nameOf(field), field }));
  return signedNames.flatMap((name) => named.filter((entry) => entry.name === name).map((entry) => entry.field));
}

function nameOf(field: string): string {
  return field.slice(0, field.indexOf(':')).trim().toLowerCase();
}

/** RFC 6376 3.4.2, without the CRLF at the end. */
function relaxField(field: string): string {
  const value = field.slice(field.indexOf(':') + 1).replaceAll('\r\n', '');
  return `${nameOf(field)}:${value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '')}`;
}

/** Folding may stand after the `;` of a tag and around the `:` of h= (RFC 6376 3.2, 3.5). */
function foldTags(tags: string[]): string {
  const lines: string[] = [];
  let line = '';
  for (const piece of `DKIM-Signature: ${tags.join('; ')}`.match(/ ?[^ :]+:?/g) ?? []) {
    if (line.length + piece.length <= lineLengthMax) {
      line += piece;
    } else {
      lines.push(line);
      line = ` ${piece.trimStart()}`;
    }
  }
  return [...lines, line].join('\r\n');
}

function foldSignature(signature: string): string {
  return (signature.match(/.{1,72}/g) ?? []).map((line) => `\r\n ${line}`).join('');
}
