/** What is wrong, the worst first: on the overview it stands before all else. */

import type { Child } from 'hono/jsx';
import { firstAccount } from '../../core/account.ts';
import { type Alert, nextOf, type TroubleName, titleOf } from '../../core/alert.ts';
import { findAccount } from '../../store/account-rules.ts';
import { listOpenAlerts } from '../../store/alerts.ts';
import type { RelaySigns } from '../../store/page/overview.ts';
import { Counted, Notice, Time, type Tone, WithCode } from '../frame/pieces.tsx';
import type { Visit } from '../frame/visit.ts';
import { Verdict } from './relay-health.tsx';

export type Situation = {
  signs: RelaySigns;
  /** Mail is due, and nobody has taken it up. */
  isLate: boolean;
  /** Recipients in doubt. */
  inDoubt: number;
  /** Recipients that are on one side of the sum only. */
  gap: number;
};

/** What keeps all mail from leaving; its verdict stands in one place only. */
export function keepsMail({ signs, isLate }: Pick<Situation, 'signs' | 'isLate'>): boolean {
  return isLate || (signs.trouble !== null && !signs.trouble.isAnswered);
}

export async function Troubles({ visit, now }: { visit: Visit; now: Situation }) {
  const { parts, session } = visit;
  const waits = await whyAccountWaits(visit);
  const alerts = session.account === firstAccount ? await listOpenAlerts(parts.database) : [];
  const shown = waits ?? (keepsMail(now) && <Verdict visit={visit} signs={now.signs} isLate={now.isLate} />);
  const said = new Set<TroubleName>(shown ? ['in_doubt', 'late', 'relay_rests'] : ['in_doubt']);
  return (
    <>
      {now.gap !== 0 && <Gap gap={now.gap} />}
      {shown}
      {alerts
        .filter(({ name }) => !said.has(name))
        .map((alert) => (
          <Begun alert={alert} />
        ))}
      {now.inDoubt > 0 && <Doubts of={now.inDoubt} />}
    </>
  );
}

function Wrong({ tone, title, children }: { tone: Tone; title: Child; children?: Child }) {
  return (
    <Notice tone={tone}>
      <b>{title}</b>
      <p>{children}</p>
    </Notice>
  );
}

function Gap({ gap }: { gap: number }) {
  return (
    <Wrong
      tone="bad"
      title={
        <>
          <Counted of={Math.abs(gap)} one="recipient" /> {gap > 0 ? 'missing' : 'too many'}
        </>
      }
    >
      Accepted recipients and what became of them do not add up. This must not happen: keep a copy of the database and
      report it.
    </Wrong>
  );
}

/** No worker takes what a paused account sends. */
async function whyAccountWaits({ parts, session }: Visit): Promise<Child | null> {
  const since = (await findAccount(parts.database, session.account))?.pausedAt ?? null;
  if (since === null) return null;
  return (
    <Wrong tone="bad" title="Nothing of this account is sent">
      Too much of its mail came back, so it is paused since <Time at={since} />. What it sends is accepted, and waits
      until an operator lets it go on.
    </Wrong>
  );
}

function Begun({ alert }: { alert: Alert }) {
  return (
    <Wrong tone="bad" title={titleOf(alert)}>
      <WithCode text={nextOf(alert) ?? ''} /> Since <Time at={alert.beganAt} />.
    </Wrong>
  );
}

function Doubts({ of }: { of: number }) {
  return (
    <Wrong
      tone="warning"
      title={
        <>
          <Counted of={of} one="recipient" /> in doubt
        </>
      }
    >
      We can’t tell whether the relay accepted these messages, so we stopped.{' '}
      <a href="/dashboard/in-doubt">Answer them</a>.
    </Wrong>
  );
}
