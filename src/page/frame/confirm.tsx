/** Asks before something that cannot be taken back: a page of its own, so that it asks without scripts, too. */

import type { Child } from 'hono/jsx';
import { renderPage } from './frame.tsx';
import { Form, PageHead } from './pieces.tsx';
import type { Visit } from './visit.ts';

export type Question = {
  title: string;
  /** The navigation's entry it belongs to. */
  at: string;
  /** What will happen. */
  content: Child;
  /** What the button that does it says. */
  yes: string;
  /** Where the form goes; it brings `fields` again, and that it was confirmed. */
  action: string;
  fields: Record<string, string>;
  /** Where one goes who would rather not. */
  back: string;
};

export function isConfirmed({ form }: Pick<Visit, 'form'>): boolean {
  return form.get('confirmed') === 'yes';
}

export function askFirst(visit: Visit, { title, at, content, yes, action, fields, back }: Question): Promise<Response> {
  return renderPage(visit, {
    title,
    at,
    content: (
      <>
        <PageHead title={title} />
        <section class="panel">
          {content}
          <Form visit={visit} action={action} class="row">
            {Object.entries({ ...fields, confirmed: 'yes' }).map(([name, value]) => (
              <input type="hidden" name={name} value={value} />
            ))}
            <button type="submit" class="button tone-bad">
              {yes}
            </button>
            <a class="button" href={back}>
              Don’t do it
            </a>
          </Form>
        </section>
      </>
    ),
  });
}
