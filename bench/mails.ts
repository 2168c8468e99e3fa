/** The mails of the benchmark: a note of 0.3 kB, a receipt of 2.4 kB, and a report that is 100 kB on the wire. */

import { randomBytes } from 'node:crypto';

export type Mail = {
  from: string;
  to: string;
  subject: string;
  html: string;
  text?: string;
  attachments?: { filename: string; content: string }[];
};

/** What the first example of every SDK sends. */
export function createNote(number: number): Mail {
  return {
    from: 'Acme <onboarding@resend.dev>',
    to: `customer-${number}@mail.example`,
    subject: 'hello world',
    html: '<h1>it works!</h1>',
  };
}

/** With the text part that its author would have had made, so that whoever sends it sends the same. */
export function createNoteWithText(number: number): Mail {
  return { ...createNote(number), text: 'it works!' };
}

/** Some files, so that no two mails of a request share one. */
const files = Array.from({ length: 20 }, () => randomBytes(71_000).toString('base64'));

/** A receipt with a file of 71 kB: 100 kB as it is sent. */
export function createReport(number: number): Mail {
  const content = files[number % files.length] ?? '';
  return { ...createMail(number), attachments: [{ filename: 'receipt.pdf', content }] };
}

/** What deliveries are measured with. */
export const delivered = { note: createNoteWithText, receipt: createMail, report: createReport } as const;

export type Delivered = keyof typeof delivered;

export function createMail(number: number): Mail {
  const order = String(number).padStart(8, '0');
  return {
    from: 'Acme Billing <billing@acme.example>',
    to: `customer-${order}@mail.example`,
    subject: `Your receipt for order ${order}`,
    html: html(order),
    text: text(order),
  };
}

function html(order: string): string {
  return `<!doctype html>
<html><body style="margin:0;padding:24px;background:#f6f7f9;font-family:Helvetica,Arial,sans-serif;color:#1c2530">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="560" style="background:#ffffff;border-radius:8px;padding:32px">
<tr><td><h1 style="font-size:20px;margin:0 0 16px">Thank you for your order</h1>
<p>Hello,</p><p>we have received your payment for order <strong>${order}</strong>. It leaves our warehouse within two days.</p>
<table role="presentation" width="100%" style="border-top:1px solid #e3e6ea;border-bottom:1px solid #e3e6ea">
<tr><td>Annual plan, 3 seats</td><td align="right">148.00</td></tr><tr><td>Tax</td><td align="right">28.12</td></tr></table>
<p><a href="https://acme.example/orders/${order}" style="color:#2456d6">View your order</a></p>
<p style="color:#6b7684;font-size:12px">Acme Inc., 1 Example Street. You get this mail because you bought something.</p>
</td></tr></table></td></tr></table></body></html>`;
}

function text(order: string): string {
  return `Thank you for your order

Hello,
we have received your payment for order ${order}. It leaves our warehouse within two days.

Annual plan, 3 seats   148.00
Tax                     28.12

View your order: https://acme.example/orders/${order}

Acme Inc., 1 Example Street. You get this mail because you bought something.
`;
}
