/** How the relay is doing, how much waits for it, and what to do next. */

import { firstAccount } from '../../core/account.ts';
import { type Advice, adviceOnTrouble } from '../../core/relay-trouble.ts';
import type { Said } from '../../core/reply.ts';
import type { Open, RelaySigns } from '../../store/page/overview.ts';
import { Count, Form, Time, WithCode } from '../frame/pieces.tsx';
import { isCapture, type Visit } from '../frame/visit.ts';

type Options = {
  visit: Visit;
  signs: RelaySigns;
  open: Open;
  oldestDue: number | null;
  /** The verdict stands elsewhere on the page. */
  isSaid?: boolean;
};

/** Due longer than this and not claimed: nobody is at work. */
const lateMs = 30_000;

export function isOverdue(oldestDue: number | null, now: number): boolean {
  return oldestDue !== null && oldestDue < now - lateMs;
}

export function RelayHealth({ visit, signs, open, oldestDue, isSaid = false }: Options) {
  const isLate = isOverdue(oldestDue, visit.parts.clock.now());
  return (
    <section class="panel">
      <h2>Relay</h2>
      {!isSaid && <Verdict visit={visit} signs={signs} isLate={isLate} />}
      <dl class="facts">
        <dt>Mail goes to</dt>
        <dd>
          <code>{visit.parts.facts.relay()}</code>
        </dd>
        <dt>Waiting</dt>
        <dd>
          <Count of={open.queued} /> queued, <Count of={open.underWay} /> being sent
        </dd>
        <dt>{isLate ? 'Oldest due since' : 'Next due'}</dt>
        <dd>{oldestDue === null ? 'nothing is waiting' : <Time at={oldestDue} />}</dd>
        <dt>Last accepted</dt>
        <dd>{signs.takenAt === null ? 'Never' : <Time at={signs.takenAt} />}</dd>
      </dl>
    </section>
  );
}

export function Verdict({ visit, signs, isLate }: { visit: Visit; signs: RelaySigns; isLate: boolean }) {
  if (signs.trouble) {
    return (
      <div class={`notice stack tone-${signs.trouble.isAnswered ? 'warning' : 'bad'}`}>
        <b>{signs.trouble.isAnswered ? 'The relay deferred some mail' : adviceOn(signs.trouble.said).heading}</b>
        <p>
          Tried <Count of={signs.trouble.times} /> {signs.trouble.times === 1 ? 'time' : 'times'}; next try{' '}
          <Time at={signs.trouble.nextAt} />. Last reply:
        </p>
        <pre class="wrap">{signs.trouble.reply}</pre>
        <p>
          <WithCode text={adviceOn(signs.trouble.said).next} />
        </p>
      </div>
    );
  }
  if (isLate) {
    return (
      <div class="notice stack tone-bad">
        <b>Mail is due, but no worker picks it up</b>
        <p>
          No worker seems to be running. Start one with <code>ROLE=worker</code> or <code>ROLE=all</code> on this
          database.
        </p>
      </div>
    );
  }
  if (isCapture(visit.parts)) {
    return (
      <div class="notice stack tone-info">
        <b>Mail is captured; nothing is sent</b>
        <p>
          Find it in the <a href="/dashboard/inbox">inbox</a>. To send real email, set <code>RELAY_URL</code> and
          restart.
        </p>
      </div>
    );
  }
  if (signs.takenAt !== null) {
    return (
      <div class="notice stack tone-good">
        <b>The relay accepts mail</b>
      </div>
    );
  }
  return (
    <div class="notice stack tone-info">
      <b>Not tested yet</b>
      <p>No email has been handed to the relay lately.</p>
      <TestButton visit={visit} />
    </div>
  );
}

/** Relays are the machine's: only its first account may test them. */
function TestButton({ visit }: { visit: Visit }) {
  const [relay] = visit.parts.relayDesk.list();
  if (!relay || visit.session.account !== firstAccount) return null;
  return (
    <Form visit={visit} action="/dashboard/relays">
      <input type="hidden" name="relay" value={relay.name} />
      <button type="submit" class="button" name="action" value="test">
        Test connection
      </button>
    </Form>
  );
}

/** What to try first. */
function adviceOn(said: Said | null): Advice {
  if (said?.problem) return adviceOnTrouble(said.problem);
  const isAsked = said?.class === 'transient' && said.code !== null;
  return {
    heading: 'The relay could not be used',
    next: isAsked
      ? 'The relay asked us to try again later. Sendonce retries automatically.'
      : 'Sendonce retries automatically. `sendonce doctor` checks settings and relay.',
  };
}
