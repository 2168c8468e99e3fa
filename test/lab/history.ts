/** What the log may tell of one recipient: each event has to follow from the ones before, and the last one is the state. */

import type { DeliveryState } from '../../src/core/delivery-state.ts';
import { eventsOf, type StoredEmail, type StoredEvent, stateOf } from './stored.ts';

/** As far as events tell; `over` is told by its name. */
type Standing = 'open' | 'doubt' | 'sent' | 'delivered' | 'bounced' | 'failed' | 'suppressed' | 'canceled';

/** What contradicts itself in the log of one recipient. */
export function contradictions(email: StoredEmail, recipient: string): string[] {
  const found: string[] = [];
  let standing: Standing = 'open';
  for (const event of eventsOf(email, recipient)) {
    const next = follow(standing, event);
    if (next === null) found.push(`${word(event)} stands after ${standing} for ${recipient}`);
    standing = next ?? standing;
  }
  const state = stateOf(email, recipient);
  if (standingIn(state) !== standing) found.push(`is ${state} for ${recipient}, and its events say ${standing}`);
  return found;
}

/** Null: this cannot happen to what stands so. */
function follow(standing: Standing, { type, isInDoubt, by }: StoredEvent): Standing | null {
  const isOpen = standing === 'open';
  const isUnsettled = isOpen || standing === 'doubt';
  if (by !== null) return standing === 'doubt' ? decided(type) : null;
  switch (type) {
    case 'delivery_delayed':
      if (isInDoubt) return isOpen ? 'doubt' : null;
      return isUnsettled ? 'open' : null;
    case 'sent':
    case 'bounced':
      return isUnsettled ? type : null;
    case 'delivered':
      return isUnsettled || standing === 'sent' ? 'delivered' : null;
    case 'suppressed':
    case 'canceled':
      return isOpen ? type : null;
    default:
      return null;
  }
}

function decided(type: string): Standing | null {
  if (type === 'queued') return 'open';
  return type === 'sent' || type === 'failed' ? type : null;
}

function standingIn(state: DeliveryState | undefined): Standing | undefined {
  if (state === 'queued' || state === 'sending' || state === 'handoff') return 'open';
  return state === 'in_doubt' ? 'doubt' : state;
}

function word({ type, isInDoubt, by }: StoredEvent): string {
  return `${type}${isInDoubt ? ' (in doubt)' : ''}${by ? ` by ${by}` : ''}`;
}
