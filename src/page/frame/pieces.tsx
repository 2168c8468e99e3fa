/** What every page is put together from: times, states, empty places, forms. */

import type { Child } from 'hono/jsx';
import type { EmailSummary } from '../../store/mail/emails.ts';
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

/** How something went, as colours tell it (assets/tokens.css). */
export type Tone = 'good' | 'bad' | 'warning' | 'info' | 'accent' | 'muted';

/** Of emails, deliveries and events; of keys and their uses; of webhooks and what they are told. */
const tones: Record<string, Tone> = {
  sent: 'good',
  delivered: 'good',
  captured: 'accent',
  bounced: 'bad',
  failed: 'bad',
  complained: 'bad',
  in_doubt: 'warning',
  delivery_delayed: 'warning',
  queued: 'info',
  scheduled: 'info',
  sending: 'info',
  handoff: 'info',
  active: 'good',
  published: 'good',
  draft: 'info',
  changed: 'warning',
  replay: 'accent',
  conflict: 'bad',
  enabled: 'good',
  failing: 'warning',
  disabled: 'bad',
  success: 'good',
  pending: 'info',
  attempting: 'info',
  up: 'good',
  resting: 'bad',
  paused: 'warning',
  gone: 'bad',
};

/** An email in one word. */
export function stateOf({ inDoubt, captured, lastEvent }: Pick<EmailSummary, 'inDoubt' | 'captured' | 'lastEvent'>) {
  if (inDoubt) return 'in_doubt';
  return captured ? 'captured' : lastEvent;
}

/** People read the words of the wire without underscores. */
export function State({ is }: { is: string }) {
  return <Pill tone={tones[is] ?? 'muted'}>{is.replaceAll('_', ' ')}</Pill>;
}

export function Pill({ tone, children }: { tone: Tone; children?: Child }) {
  return <span class={`state tone-${tone}`}>{children}</span>;
}

export function Count({ of }: { of: number }) {
  return <>{of.toLocaleString('en-US')}</>;
}

/** `1 retry`, `2 retries`. */
export function Counted({ of, one, many = `${one}s` }: { of: number; one: string; many?: string }) {
  return (
    <>
      <Count of={of} /> {of === 1 ? one : many}
    </>
  );
}

export function Bytes({ of }: { of: number }) {
  if (of < 1_000) return <>{of} B</>;
  return <>{of < 1_000_000 ? `${(of / 1_000).toFixed(1)} kB` : `${(of / 1_000_000).toFixed(1)} MB`}</>;
}

/** A place with nothing in it says why, and what would fill it. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="panel empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function Notice({ tone = 'info', children }: { tone?: Tone; children?: Child }) {
  return (
    <div class={`notice tone-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
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
    <span class="row">
      <code>{text}</code>
      <CopyButton label={label} text={text} />
    </span>
  );
}

/** `word`: where several stand side by side, what each copies. */
export function CopyButton({ text, label, word = '' }: { text: string; label: string; word?: string }) {
  return (
    <button type="button" class="button quiet needs-script" data-copy={text} aria-label={`Copy ${label}`}>
      Copy{word && ` ${word}`}
    </button>
  );
}

export function PageHead({ title, children }: { title: string; children?: Child }) {
  return (
    <header class="row spread">
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

/** What stands between backticks is a command. */
export function WithCode({ text }: { text: string }) {
  return <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>;
}
