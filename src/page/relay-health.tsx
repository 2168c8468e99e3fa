/** How the relay is doing, how much waits for it, and what to do next. */

import type { Said } from '../core/reply.ts';
import type { Open, RelaySigns } from '../store/page/overview.ts';
import { Count, Time } from './pieces.tsx';
import { isCapture, type Visit } from './visit.ts';

type Options = { visit: Visit; signs: RelaySigns; open: Open; oldestDue: number | null };

/** Due longer than this and not claimed: nobody is at work. */
const lateMs = 30_000;

export function RelayHealth({ visit, signs, open, oldestDue }: Options) {
  const now = visit.parts.clock.now();
  const isLate = oldestDue !== null && oldestDue < now - lateMs;
  return (
    <section class="panel">
      <h2>Relay</h2>
      <Verdict visit={visit} signs={signs} isLate={isLate} />
      <dl class="facts">
        <dt>Where mail goes</dt>
        <dd>
          <code>{visit.parts.facts.relay}</code>
        </dd>
        <dt>Waiting</dt>
        <dd>
          <Count of={open.queued} /> queued, <Count of={open.underWay} /> under way
        </dd>
        <dt>{isLate ? 'Oldest due since' : 'Next due'}</dt>
        <dd>{oldestDue === null ? 'nothing waits' : <Time at={oldestDue} />}</dd>
        <dt>Took the last mail</dt>
        <dd>{signs.takenAt === null ? 'not lately' : <Time at={signs.takenAt} />}</dd>
      </dl>
    </section>
  );
}

export function Verdict({ visit, signs, isLate }: { visit: Visit; signs: RelaySigns; isLate: boolean }) {
  if (signs.trouble) {
    return (
      <div class={`notice stack tone-${signs.trouble.isAnswered ? 'warning' : 'bad'}`}>
        <b>{signs.trouble.isAnswered ? 'The relay put some mail off' : 'The relay cannot be reached'}</b>
        <p>
          Tried <Count of={signs.trouble.times} />
          ×, again at <Time at={signs.trouble.nextAt} />. The last answer:
        </p>
        <pre class="wrap">{signs.trouble.reply}</pre>
        <p>{adviceOn(signs.trouble.said)}</p>
      </div>
    );
  }
  if (isLate) {
    return (
      <div class="notice stack tone-bad">
        <b>Due mail is not being picked up</b>
        <p>
          No worker seems to run. Start one with <code>ROLE=worker</code> or <code>ROLE=all</code> on this database.
        </p>
      </div>
    );
  }
  if (isCapture(visit.parts)) {
    return (
      <div class="notice stack tone-info">
        <b>Mail is captured, nothing leaves</b>
        <p>
          It is in the <a href="/dashboard/inbox">inbox</a>. To send for real, set <code>RELAY_URL</code> and restart.
        </p>
      </div>
    );
  }
  return (
    <div class="notice stack tone-good">
      <b>
        {signs.takenAt === null ? 'Nothing has gone wrong, nothing has been sent lately' : 'The relay is taking mail'}
      </b>
    </div>
  );
}

/** What to try first. */
export function adviceOn(said: Said | null): string {
  switch (said?.problem) {
    case 'login':
      return 'Check user and password in RELAY_URL: special characters must be percent-encoded.';
    case 'name':
      return 'The name in RELAY_URL cannot be resolved. Is it spelled right?';
    case 'nobody_listens':
      return 'Nothing listens there. Check host and port in RELAY_URL; `sendonce doctor` tries it.';
    case 'silence':
      return 'No answer. Many hosts block port 25: use 587 or 465, and ask your provider.';
    case 'tls':
      return 'TLS failed. The name in RELAY_URL must be on the relay’s certificate.';
    default:
      return said?.class === 'transient' && said.code !== null
        ? 'The relay asks to come back later. It will be tried again by itself.'
        : 'It will be tried again by itself. `sendonce doctor` checks settings and relay.';
  }
}
