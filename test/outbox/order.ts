/** What an order's row is like. Imports nothing: programs that are started to be killed start fast. */

export const shopKey = 're_test_key';

/** Its subject tells which row it came from. */
export function payloadFor(id: string, change: Record<string, unknown> = {}): string {
  const message = {
    from: 'Acme <onboarding@resend.dev>',
    to: ['foo@gmail.com'],
    subject: id,
    html: '<h1>it works!</h1>',
  };
  return JSON.stringify({ ...message, ...change });
}
