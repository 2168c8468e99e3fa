/** The relays: how each is doing, what waits for it, and what an operator can do about it. */

import { firstAccount } from '../../core/account.ts';
import { AppError } from '../../core/error.ts';
import { type RelayStatus, readRelayStatus } from '../../store/relay-status.ts';
import { renderPage } from '../frame/frame.tsx';
import { Count, Empty, Form, Notice, PageHead, State, Time } from '../frame/pieces.tsx';
import { redirect } from '../frame/sign-in.tsx';
import { isCapture, type Visit } from '../frame/visit.ts';

export async function relays(visit: Visit): Promise<Response> {
  requireFirst(visit);
  const facts = visit.parts.relayDesk.list();
  const status = await readRelayStatus(visit.parts.database, facts, visit.parts.clock.now());
  return renderPage(visit, {
    title: 'Relays',
    at: '/relays',
    content: (
      <>
        <PageHead title="Relays">
          <p class="muted">
            Each email takes the first available relay on its route. It can move to another relay only until it is
            handed over: what one relay may have is never given to another.
          </p>
        </PageHead>
        <Done what={visit.query.done} />
        {isCapture(visit.parts) && <NoRelay />}
        {status.map((one, index) => (
          <Relay visit={visit} status={one} where={facts[index]?.where ?? 'not in RELAYS_FILE any more'} />
        ))}
      </>
    ),
  });
}

export async function orderRelay(visit: Visit): Promise<Response> {
  requireFirst(visit);
  const { parts, form } = visit;
  const name = form.get('relay') ?? '';
  const isThere = parts.relayDesk.list().some((one) => one.name === name);
  if (!isThere && form.get('action') !== 'retry') {
    throw new AppError('not_found', 'This relay no longer exists.');
  }
  const action = form.get('action');
  if (action === 'test') return showTest(visit, name);
  if (action !== 'pause' && action !== 'resume' && action !== 'retry') {
    throw new AppError('invalid_field', 'Unknown action.');
  }
  await parts.use.relayOrders[action](name);
  return redirect(`/dashboard/relays?done=${action}`);
}

async function showTest(visit: Visit, name: string): Promise<Response> {
  const { isUp, words } = await visit.parts.relayDesk.test(name);
  return renderPage(visit, {
    title: 'Relays',
    at: '/relays',
    content: (
      <>
        <PageHead title={`Test of ${name}`} />
        <Notice tone={isUp ? 'good' : 'bad'}>{words}</Notice>
        <p>
          <a href="/dashboard/relays">All relays</a>
        </p>
      </>
    ),
  });
}

function NoRelay() {
  return (
    <Empty title="No relay yet">
      <p>
        Every email is captured: stored, shown in the <a href="/dashboard/inbox">inbox</a>, and sent to nobody. To send
        for real, set <code>RELAY_URL=smtp://user:password@host:587</code> and restart. <code>sendonce doctor</code>{' '}
        tests it first.
      </p>
    </Empty>
  );
}

const done: Record<string, string> = {
  pause: 'Paused. It gets no more mail, within a second.',
  resume: 'Resumed. Waiting mail goes out now.',
  retry: 'Trying it now. Waiting mail goes out as soon as it answers.',
};

function Done({ what }: { what: string | undefined }) {
  const text = what === undefined ? undefined : done[what];
  return text ? <Notice tone="good">{text}</Notice> : null;
}

function Relay({ visit, status, where }: { visit: Visit; status: RelayStatus; where: string }) {
  return (
    <article class="panel">
      <div class="row spread">
        <h2>{status.name}</h2>
        <State is={status.state} />
      </div>
      <dl class="facts">
        <dt>Address</dt>
        <dd>
          <code>{where}</code>
        </dd>
        <dt>Emails waiting</dt>
        <dd>
          <Count of={status.waiting} />
        </dd>
        {status.rates.map(({ window, used, most }) => (
          <>
            <dt>Last {window}</dt>
            <dd>
              <Count of={used} /> of <Count of={most} />
            </dd>
          </>
        ))}
        {status.since !== null && (
          <>
            <dt>{status.state === 'resting' ? 'Down since' : 'Up since'}</dt>
            <dd>
              <Time at={status.since} />
            </dd>
          </>
        )}
      </dl>
      {status.trouble !== null && (
        <>
          <pre class="wrap">{status.trouble}</pre>
          <p class="muted small">Test connection says what to do. Its mail waits; Sendonce tries again by itself.</p>
        </>
      )}
      {status.trouble === null && status.lastReply !== null && (
        <p class="muted small">
          Last reply <Time at={status.lastReply.at} style="short" />: {status.lastReply.text}
        </p>
      )}
      <Form visit={visit} action="/dashboard/relays" class="row">
        <input type="hidden" name="relay" value={status.name} />
        {status.state === 'gone' ? (
          <button type="submit" class="button" name="action" value="retry">
            Send its mail through other relays
          </button>
        ) : (
          <Buttons isPaused={status.state === 'paused'} />
        )}
      </Form>
    </article>
  );
}

function Buttons({ isPaused }: { isPaused: boolean }) {
  return (
    <>
      <button type="submit" class="button" name="action" value="test">
        Test connection
      </button>
      <button type="submit" class="button quiet" name="action" value="retry">
        Retry now
      </button>
      <button type="submit" class="button quiet" name="action" value={isPaused ? 'resume' : 'pause'}>
        {isPaused ? 'Resume' : 'Pause'}
      </button>
    </>
  );
}

/** They are the machine's, not an account's. */
function requireFirst({ session }: Visit): void {
  if (session.account === firstAccount) return;
  throw new AppError('first_account_only', `Relays are shown to the account ${firstAccount} only.`);
}
