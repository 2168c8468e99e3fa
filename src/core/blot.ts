/** Takes our own secrets out of what others say: some repeat what they refuse, plain or in Base64. */

/** Shorter pieces stand in words of any kind. */
const pieceCharsMin = 4;

export type Blot = (text: string) => string;

export function createBlot(secrets: readonly string[]): Blot {
  const pieces = [...new Set(secrets.flatMap(spellings))].filter((one) => one.length >= pieceCharsMin);
  // The longest first: one may be part of another.
  pieces.sort((a, b) => b.length - a.length);
  return (text) => pieces.reduce((kept, piece) => (kept.includes(piece) ? kept.replaceAll(piece, '***') : kept), text);
}

/** As it is, percent-encoded, and in Base64 wherever in a longer text it begins. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, encodeURIComponent(secret), ...[0, 1, 2].map((before) => base64Within(bytes, before))];
}

/** The characters that are the same whatever stands before and behind. */
function base64Within(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  const whole = Math.floor(((before + bytes.length) * 4) / 3);
  return text.slice(Math.ceil((before * 4) / 3), whole);
}
