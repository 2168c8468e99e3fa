/** A facade whose members are read as they once were: each by code that a hostile sender stopped the server with. */

import { createRequire } from 'node:module';
import { parseJson } from '../../src/http/body.ts';
import { answerWith } from '../../src/http/call.ts';
import type { HttpFacade } from '../../src/http/facade.ts';
import type { FacadeParts } from '../../src/http/facades.ts';
import { isFields } from '../../src/http/fields.ts';
import { refusals, wording } from '../../src/http/resend/errors.ts';
import { addRoutes } from '../../src/http/route-table.ts';
import { generateText } from '../../src/render/html-to-text.ts';

type Chrono = typeof import('chrono-node/en');

const chrono = createRequire(import.meta.url)('chrono-node/en') as Chrono;

/** Each takes some hundred milliseconds of what is written here, not the minutes that all of it would. */
const readers: Record<string, (value: unknown) => unknown> = {
  // Blanks and dots at the end of an attachment's name.
  filename: (value) => end(value, 15_000).replace(/^\s+|[\s.]+$/g, ''),
  // Links of a captured mail.
  links: (value) => [...text(value, 40_000).matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/gi)],
  // Dates in words, on the serving thread.
  date: (value) => chrono.parse(text(value, 100)),
  // Numbers in the template language.
  number: (value) => /^\d+\.?\d*$/.test(end(value, 20_000)),
  // The text part of html, on the serving thread.
  html: (value) => generateText(text(value, 12_000)),
  // The truth of an object, asked for each operand.
  truth: (value) => isFields(value) && Array.from({ length: 100 }, () => Object.keys(value).length > 0),
  // What is read once is none of these.
  harmless: (value) => text(value, Number.POSITIVE_INFINITY).includes('x'),
};

/** What each minds. */
export const mindedBy: Record<string, string> = {
  filename: 'dots',
  links: 'links',
  date: 'tabs',
  number: 'digits',
  html: 'quotes in quotes',
  truth: 'very many members',
};

export const unmendedNames = Object.keys(readers).filter((name) => name !== 'harmless');

function end(value: unknown, charsMax: number): string {
  return typeof value === 'string' ? value.slice(-charsMax) : '';
}

function text(value: unknown, charsMax: number): string {
  return typeof value === 'string' ? value.slice(0, charsMax) : '';
}

export const unmended: HttpFacade<FacadeParts> = {
  name: 'unmended',
  label: 'Unmended',
  through: 'code that was mended since',
  path: '/unmended',
  endpoints: [],
  wording,
  webhooks: null,
  addRoutes: (app, gatekeeper) => {
    const read = answerWith(gatekeeper, wording, 'sending', async (call) => {
      const body = parseJson(await call.body()) as Record<string, unknown>;
      for (const [name, reader] of Object.entries(readers)) if (body[name] !== undefined) reader(body[name]);
      return { status: 200, body: '{}' };
    });
    addRoutes(app, [['/unmended', { POST: read }]], refusals);
  },
};
