/** What browsers are told about every answer of the page, and about mails shown inside it. */

const always = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Nothing inline, nothing from elsewhere, in nobody's frame. */
export const pageHeaders: Record<string, string> = {
  ...always,
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-frame-options': 'DENY',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
};

/**
 * A stranger's html: no scripts, no forms, no plug-ins, an origin of its own, and nothing fetched. Its own styles apply, its
 * embedded images show, and its links open elsewhere, as in a mail program. `remote`: the viewer asked for its images.
 */
export function mailHeaders(remote: boolean): Record<string, string> {
  const from = remote ? ' https: http:' : '';
  return {
    ...always,
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': [
      'sandbox allow-popups allow-popups-to-escape-sandbox',
      "default-src 'none'",
      `img-src 'self' data:${from}`,
      `style-src 'unsafe-inline'${from}`,
      `font-src data:${from}`,
      "form-action 'none'",
      "base-uri 'self'",
      "frame-ancestors 'self'",
    ].join('; '),
  };
}

/** Named by what they hold, so that they may be kept for ever. */
export function assetHeaders(type: string): Record<string, string> {
  return { ...always, 'content-type': type, 'cache-control': 'public, max-age=31536000, immutable' };
}
