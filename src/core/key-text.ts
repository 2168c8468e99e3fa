/** An idempotency key as text that no other bytes have: clients mean UTF-8, and what is not UTF-8 is spelt with lone surrogates. */

const bytesBeyondAscii = /[\x80-\xff]/g;
/** U+DC80 to U+DCFF stand for the bytes 0x80 to 0xFF: decoded UTF-8 never has them alone. */
const loneSurrogate = 0xdc00;
const spelledBytes = /[\udc80-\udcff]/gu;

/** `bytes`: one character each, as Node hands over a header. */
export function keyFromBytes(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  if (!text.includes('\uFFFD')) return text;
  return bytes.replace(bytesBeyondAscii, (byte) => String.fromCharCode(loneSurrogate + byte.charCodeAt(0)));
}

/** As people read it, and as older versions took it: with bytes that are not UTF-8 read as Latin-1. */
export function readableKey(key: string): string {
  return key.replace(spelledBytes, (spelled) => String.fromCharCode(spelled.charCodeAt(0) - loneSurrogate));
}
