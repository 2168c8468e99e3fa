/** Mails that servers on the way are known to have changed: what they say, as the API takes it. */

const long = 'A line that goes on and on, Grüße, '.repeat(40);
const bytes = (count: number) => Buffer.from(Array.from({ length: count }, (_, at) => (at * 37 + 11) % 256));
const file = (filename: string, content: Uint8Array, more = {}) => ({
  attachments: [{ filename, content: Buffer.from(content).toString('base64'), ...more }],
});

const kinds: ((turn: number) => Record<string, unknown>)[] = [
  () => ({ text: 'plain' }),
  () => ({ text: '.\n..\n...\n.two\n' }),
  () => ({ text: `\n\n${'\n'.repeat(5)}empty lines around\n\n\n\n` }),
  () => ({ text: 'From here on it is not an mbox\n>From there neither\nFrom: nobody\n' }),
  () => ({ text: 'spaces at the end   \n\t\ttabs\t\t\n \n' }),
  (turn) => ({ text: 'x'.repeat(990 + turn) }),
  (turn) => ({ text: 'ü'.repeat(500 + turn) }),
  () => ({ text: `${long}\r\n${long}\n${long}` }),
  () => ({ text: 'a\rb\r\r\nc\n\rd' }),
  () => ({ html: `<p>${long}</p>` }),
  () => ({ html: '<p>=3D=\n=20</p>\n.\n', text: '=\n=3D' }),
  (turn) => ({ subject: 'Grüße 🎉 '.repeat(5 + turn), text: 'a long subject' }),
  (turn) => ({ subject: 'x'.repeat(100 * turn + 70), text: 'a subject without a space' }),
  () => ({ subject: '=?UTF-8?Q?not_encoded?= and  two  spaces ', text: 'x' }),
  (turn) => ({ ...file(`${'lang-'.repeat(turn + 1)}ü 文.bin`, bytes(3_000)), text: 'a file' }),
  () => ({ ...file('From nobody.txt', Buffer.from('From x\n.\n\n')), text: 'a file of text' }),
  () => ({ ...file('mail.eml', Buffer.from('Subject: inner\r\n\r\n.\r\nFrom x\r\n')), text: 'a mail in it' }),
  () => ({ ...file('logo.png', bytes(500), { content_id: 'logo' }), html: '<img src="cid:logo">' }),
  (turn) => ({ ...file('large.bin', bytes(200_000 + turn)), text: 'a large one' }),
  (turn) => ({
    headers: Object.fromEntries([...Array(20 + turn)].map((_, at) => [`X-Many-${at}`, `${at}`])),
    text: 'x',
  }),
  () => ({
    headers: { 'X-Long': `${'word '.repeat(150)}end`, 'List-Unsubscribe': '<https://shop.test/u>' },
    text: 'x',
  }),
  () => ({ headers: { 'X-Plain': 'plain', 'X-Words': 'Grüße aus Köln 🎉' }, text: 'x' }),
  () => ({ from: '"Shop, \\"Inc.\\" Ü" <a@shop.test>', reply_to: 'Ä <help@shop.test>', text: 'awkward names' }),
  () => ({ cc: ['"Ben (the) Bold" <ben@many.test>'], text: 'a copy' }),
  () => ({ text: ' ' }),
];

/** `count` of them, each kind as often, no two alike. */
export function awkwardMails(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, at) => {
    const turn = Math.floor(at / kinds.length);
    const made = kinds[at % kinds.length]?.(turn) ?? {};
    const to = `p${at}@many.test`;
    return { from: 'Shop <a@shop.test>', subject: `mail ${at}`, ...made, to };
  });
}
