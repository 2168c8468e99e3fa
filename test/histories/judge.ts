/**
 * Judges a history: each key is a register written once for a lifetime, each delivery has at most one dot that nobody has ruled out, each
 * cancel and reschedule is an operation with an order in real time, and nothing that was accepted is gone.
 */

import type { Call, Deed, History, Mail, Seen } from './history.ts';

type Cancel = Deed & { kind: 'cancel' };
type Reschedule = Deed & { kind: 'reschedule' };
type Answer = Deed & { kind: 'answer' };

export function judge(history: History): string[] {
  return [...judgeKeys(history), ...judgeMails(history), ...(history.untold ?? [])];
}

function judgeKeys({ calls, keyLifetimeMs }: History): string[] {
  return [...grouped(calls, ({ key }) => key)].flatMap(([key, tries]) =>
    judgeKey(tries, keyLifetimeMs).map((what) => `key ${key}: ${what}`),
  );
}

/** Whichever try wrote it, each answer within a lifetime is the same, to the same body. */
function judgeKey(tries: Call[], lifetimeMs: number): string[] {
  const found: string[] = [];
  const accepted = tries.filter(({ saw }) => saw.kind === 'accepted').sort(byEnd);
  const [first] = accepted;
  // It was written by one of the tries that were begun before the first answer: no earlier than the first of them.
  const writtenAt = Math.min(...tries.map(({ begunAt }) => begunAt));
  for (const one of accepted.slice(1)) {
    if (!first || one.begunAt > writtenAt + lifetimeMs) continue;
    if (one.body !== first.body) found.push('two bodies were accepted');
    else if (idsOf(one) !== idsOf(first)) found.push(`answered ${idsOf(first)}, then ${idsOf(one)}`);
  }
  for (const one of tries.filter(({ saw }) => saw.kind === 'conflict')) {
    const isPossible = tries.some((other) => other.body !== one.body && other.begunAt < (one.endedAt ?? Infinity));
    if (!isPossible) found.push('refused as another request, and there was none');
  }
  return found;
}

function judgeMails({ mails, deeds, seen, shown, toleranceMs, keyLifetimeMs }: History): string[] {
  const seenOf = grouped(seen, ({ recipient }) => recipient);
  const cancelsOf = groupedByAll(deeds.filter(isCancel), ({ ids }) => ids);
  const reschedulesOf = grouped(deeds.filter(isReschedule), ({ id }) => id);
  const answersOf = grouped(deeds.filter(isAnswer), ({ id }) => id);
  const suppressed = new Set(deeds.flatMap((one) => (one.kind === 'suppress' && mayBe(one) ? one.address : [])));
  return mails.flatMap((mail) => {
    const id = mail.id ?? '';
    const one: Case = {
      mail,
      seen: mail.recipients.map((recipient) => seenOf.get(recipient) ?? []),
      cancels: cancelsOf.get(id) ?? [],
      reschedules: reschedulesOf.get(id) ?? [],
      answers: (answersOf.get(id) ?? []).filter(mayBe),
      answersOf,
      keyLifetimeMs,
      isShown: shown.has(id),
      suppressed,
      toleranceMs,
    };
    const found = [...judgeDots(one), ...judgeCancels(one), ...judgeTimes(one), ...judgeLoss(one)];
    return found.map((what) => `${nameOf(mail)} (${mail.recipients[0]}): ${what}`);
  });
}

function nameOf({ id, isPromised }: Mail): string {
  return isPromised ? (id ?? '') : `a mail nobody was told of, ${id}`;
}

type Case = {
  mail: Mail;
  /** Of each recipient, in the order it was seen. */
  seen: Seen[][];
  cancels: Cancel[];
  reschedules: Reschedule[];
  answers: Answer[];
  /** By the id of an email. */
  answersOf: ReadonlyMap<string, Answer[]>;
  isShown: boolean;
  suppressed: ReadonlySet<string>;
  toleranceMs: number;
  keyLifetimeMs: number;
};

/**
 * A dot follows another only where that one was clearly put off, or an operator wanted it. Two emails were accepted for it only where the key of
 * the first was over: a try that nobody heard of may have waited that long.
 */
function judgeDots({ mail, seen, answersOf, keyLifetimeMs }: Case): string[] {
  return seen.flatMap((all) => {
    const dots = all.flatMap(({ dot }) => dot ?? []).sort((a, b) => a.at - b.at);
    const found: string[] = [];
    for (const [email, own] of grouped(dots, (dot) => dot.email ?? mail.id ?? '')) {
      const agains = (answersOf.get(email) ?? []).filter((one) => mayBe(one) && one.answer === 'queued').length;
      const followed = own.slice(0, -1).filter(({ said }) => said !== 'later').length;
      if (followed > agains) found.push(`${followed + 1} dots, and ${agains} times an operator wanted another`);
      const isFirst = email === (dots[0]?.email ?? mail.id ?? '');
      if (!isFirst && (own[0]?.at ?? 0) < mail.askedAt + keyLifetimeMs)
        found.push(`a dot of ${email}, and before of ${dots[0]?.email}`);
    }
    return found;
  });
}

/** What was called off leaves no more; what has left whole cannot be called off. */
function judgeCancels({ seen, cancels, reschedules }: Case): string[] {
  const found: string[] = [];
  // Of a batch that is called off as one, some may have left.
  const done = cancels.filter((one) => one.outcome === 'done' && one.ids.length === 1);
  const first = Math.min(...done.map(({ endedAt }) => endedAt));
  const wasTaken = seen.map((all) => all.some((one) => one.wasTaken));
  if (done.length > 0 && wasTaken.every(Boolean)) found.push('canceled, so it was said, and taken by the relay');
  if (seen.length === 1 && seen[0]?.some(({ dot }) => dot !== null && dot.at > first))
    found.push('a dot left after it was canceled');
  const late = reschedules.filter(({ outcome, begunAt }) => outcome === 'done' && begunAt > first);
  if (late.length > 0) found.push('moved to another time after it was canceled');
  return found;
}

/** No dot before the earliest time that may count when it leaves. */
function judgeTimes({ mail: { scheduledAt }, seen, reschedules, toleranceMs }: Case): string[] {
  return seen.flatMap((all) =>
    all.flatMap(({ dot }) => {
      if (!dot) return [];
      const done = reschedules.filter(({ outcome, endedAt }) => outcome === 'done' && endedAt < dot.at);
      const last = Math.max(...done.map(({ begunAt }) => begunAt));
      const counting = reschedules.filter(
        (one) => one.outcome === 'unknown' || (one.outcome === 'done' && one.endedAt >= last),
      );
      const due = Math.min(...counting.map(({ to }) => to), ...(done.length > 0 ? [] : [scheduledAt ?? 0]));
      return dot.mailClockAt < due - toleranceMs ? [`left ${due - dot.mailClockAt} ms before its time`] : [];
    }),
  );
}

/** Accepted: taken, refused by the relay, called off or settled by people, or shown. */
function judgeLoss({ mail, seen, cancels, answers, isShown, suppressed }: Case): string[] {
  if (!mail.isPromised || isShown) return [];
  const isSettled = cancels.some(mayBe) || answers.some(({ answer }) => answer !== 'queued');
  return mail.recipients.flatMap((recipient, index) => {
    const cameToAnEnd = seen[index]?.some(({ wasTaken, wasRefused }) => wasTaken || wasRefused);
    return cameToAnEnd || isSettled || suppressed.has(recipient) ? [] : [`lost for ${recipient}`];
  });
}

const mayBe = ({ outcome }: Deed) => outcome !== 'refused';
const isCancel = (one: Deed): one is Cancel => one.kind === 'cancel';
const isReschedule = (one: Deed): one is Reschedule => one.kind === 'reschedule';
const isAnswer = (one: Deed): one is Answer => one.kind === 'answer';
const idsOf = ({ saw }: Call) => (saw.kind === 'accepted' ? saw.ids : '');
const byEnd = (a: Call, b: Call) => (a.endedAt ?? 0) - (b.endedAt ?? 0);

function grouped<T>(all: readonly T[], nameOf: (one: T) => string): Map<string, T[]> {
  return groupedByAll(all, (one) => [nameOf(one)]);
}

function groupedByAll<T>(all: readonly T[], namesOf: (one: T) => string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    for (const name of namesOf(one)) {
      const group = groups.get(name);
      if (group) group.push(one);
      else groups.set(name, [one]);
    }
  }
  return groups;
}
