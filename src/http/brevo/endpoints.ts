/** Where this facade takes submissions, and how long their keys live. */

import type { Endpoint } from '../../use-cases/submission.ts';

export const facadeName = 'brevo';

/** docs/brevo.md: 30 minutes from use, whenever the mail leaves. */
const keyTerms = { lifetimeMs: 30 * 60_000, followsSchedule: false };

/** Any repeat is refused; only the key's history tells whether it was the same request, and nobody is told what differs. */
export const sendEndpoint: Endpoint = {
  facade: facadeName,
  name: 'POST /v3/smtp/email',
  keyTerms,
  differences: null,
};

/** Takes no keys. */
export const testEndpoint: Endpoint = { ...sendEndpoint, name: 'POST /v3/smtp/templates/sendTest' };
