/** Fills in subjects and bodies, a template's or a request's own: both are written in the template language. */

import { parseMailbox } from '../../core/address.ts';
import {
  createBudget,
  parseTemplate,
  renderTemplate,
  type Scope,
  type Template,
} from '../../render/template/template.ts';

/** Named as requests name them, and so named in refusals. Values are escaped in HTML only. */
export type Filled = 'subject' | 'htmlContent' | 'textContent';

/** An ordinary request is over by then; longer, and others would notice. */
const keptMsMax = 20;

/** The renderings of one request: what its versions share is read once, what they cost is counted together. */
export class Filling {
  readonly #read = new Map<string, Template>();
  readonly #budget;
  #since = performance.now();

  constructor(versions = 1) {
    this.#budget = createBudget(versions);
  }

  /** @throws AppError `invalid_template`. A subject may come out with line breaks: params can hold them. */
  fill(field: Filled, source: string, scope: Scope): string {
    return renderTemplate(
      this.#template(field, source),
      scope,
      field === 'htmlContent' ? 'html' : 'text',
      this.#budget,
    );
  }

  /** Between two versions: lets other requests be served where this one has kept the thread for long. */
  async letOthers(): Promise<void> {
    if (performance.now() - this.#since < keptMsMax) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }

  #template(field: Filled, source: string): Template {
    const key = `${field} ${source}`;
    const template = this.#read.get(key) ?? parseTemplate(source, field);
    this.#read.set(key, template);
    return template;
  }
}

/**
 * What a template sees. There are no contacts here but the recipients: `contact.EMAIL` and `contact.NAME` are the first
 * one's, every other attribute is empty, and so are `mirror` and `unsubscribe`, whose pages there are not (docs/brevo.md).
 */
export function scopeOf(params: Readonly<Record<string, unknown>>, recipient: string): Scope {
  const { address = '', name = '' } = parseMailbox(recipient) ?? {};
  return { params, contact: { EMAIL: address, NAME: name } };
}
