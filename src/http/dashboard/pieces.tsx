/** What every page is put together from: times, states, empty places, forms. */

import type { Child } from 'hono/jsx';
import type { DeliveryState, EventType } from '../../core/event.ts';
import type { Visit } from './visit.ts';

/** In UTC until the script writes it in the viewer's zone. */
export function Time({ at, style = 'full' }: { at: number; style?: 'full' | 'short' }) {
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso} data-style={style}>
      {style === 'full'
        ? `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`
        : `${iso.slice(5, 10)} ${iso.slice(11, 16)} UTC`}
    </time>
  );
}

/** The words of the wire stand in the class; people read them without underscores. */
export function State({
  is,
}: {
  is: DeliveryState | EventType | 'replay' | 'conflict' | 'active' | 'expired' | string;
}) {
  return <span class={`state state-${is}`}>{is.replaceAll('_', ' ')}</span>;
}

export function Count({ of }: { of: number }) {
  return <>{of.toLocaleString('en-US')}</>;
}

export function Bytes({ of }: { of: number }) {
  if (of < 1_000) return <>{of} B</>;
  return <>{of < 1_000_000 ? `${(of / 1_000).toFixed(1)} kB` : `${(of / 1_000_000).toFixed(1)} MB`}</>;
}

/** A place with nothing in it says why, and what would fill it. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Notice({ kind = 'info', children }: { kind?: 'info' | 'good' | 'warning' | 'bad'; children?: Child }) {
  return (
    <div class={`notice notice-${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** Every form of ours carries the token that only our pages know. */
export function Form({
  visit,
  action,
  children,
  ...rest
}: {
  visit: Visit;
  action: string;
  class?: string;
  children?: Child;
}) {
  return (
    <form method="post" action={action} class={rest.class}>
      <input type="hidden" name="token" value={visit.session.formToken} />
      {children}
    </form>
  );
}

/** Text worth copying, with a button that needs the script. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <span class="copyable">
      <code>{text}</code>
      <CopyButton label={label} text={text} />
    </span>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  return (
    <button type="button" class="button quiet small needs-script" data-copy={text} aria-label={`Copy ${label}`}>
      Copy
    </button>
  );
}

export function PageHead({ title, children }: { title: string; children?: Child }) {
  return (
    <header class="page-head">
      <h1>{title}</h1>
      {children}
    </header>
  );
}

/** Recipients in a row's width: the first, and how many more. */
export function Recipients({ of }: { of: string[] }) {
  const [first = '', ...more] = of;
  return (
    <>
      {first}
      {more.length > 0 && <span class="muted"> +{more.length}</span>}
    </>
  );
}
