/** How the relay is doing, how much waits for it, and what to do next. */

import { type Advice, adviceOnTrouble } from '../core/relay-trouble.ts';
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
          <code>{visit.parts.facts.relay()}</code>
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
        <b>{signs.trouble.isAnswered ? 'The relay put some mail off' : adviceOn(signs.trouble.said).heading}</b>
        <p>
          Tried <Count of={signs.trouble.times} />
          ×, again at <Time at={signs.trouble.nextAt} />. The last answer:
        </p>
        <pre class="wrap">{signs.trouble.reply}</pre>
        <p>{adviceOn(signs.trouble.said).next}</p>
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
function adviceOn(said: Said | null): Advice {
  if (said?.problem) return adviceOnTrouble(said.problem);
  const isAsked = said?.class === 'transient' && said.code !== null;
  return {
    heading: 'The relay could not be used',
    next: isAsked
      ? 'The relay asks to come back later. It will be tried again by itself.'
      : 'It will be tried again by itself. `sendonce doctor` checks settings and relay.',
  };
}
