/** The edges between a delivery's states, as one table. `store/mail/move.ts` is the only code that takes an edge. */

import type { Edge } from './delivery-state.ts';

const verdict = {
  // A late 2yz or 5yz also stops a later attempt that has not passed its gate.
  from: ['handoff', 'in_doubt', 'queued', 'sending'],
  fence: 'handoff_attempt',
  ends: true,
  counts: { tries: '+ 1', unanswered: '- 1' },
  sets: ['run_at', 'reply'],
} as const;

const requeue = { from: ['sending'], to: 'queued', fence: 'attempt', ends: true, sets: ['run_at'] } as const;

const wordless = { ...requeue, counts: { wordless: '+ 1' } } as const;

const goesOn = { from: ['sending'], to: 'sending', fence: 'attempt', sets: [] } as const;

const answer = { from: ['in_doubt'], fence: 'state', ends: true, by: 'operator' } as const;

/** What came back names the delivery, and no attempt of it. */
const noticed = { fence: 'state', ends: true, sets: ['run_at', 'reply'], by: 'notice' } as const;

const simulated = { from: ['sending'], fence: 'attempt', sets: ['run_at', 'reply'] } as const;

export const edges = {
  /** A worker takes what is due for a while: `run_at` is when its lease ends. */
  claim: {
    from: ['queued'],
    to: 'sending',
    fence: 'attempt',
    ends: true,
    counts: { alone: '= 0' },
    sets: ['worker', 'run_at'],
  },
  /** A worker that stops gives back what it has not started. */
  hand_back: { from: ['sending'], to: 'queued', fence: 'attempt', sets: ['run_at'] },
  /** No relay it may take is open, or has room: it waits for that, and what waits behind it is claimed instead. */
  wait: { from: ['queued', 'sending'], to: 'queued', fence: 'attempt', sets: ['run_at', 'waits_for'] },
  /** What it waits for is back. */
  release: { from: ['queued'], to: 'queued', fence: 'attempt', sets: ['run_at'] },
  /** A worker has claimed it without knowing: the answer to that commit never came. */
  forgotten: requeue,
  /** The lease ran out: the worker hangs. */
  lease_over: wordless,
  /** Its worker is dead. */
  orphaned: wordless,
  /** The same, and it cannot have been to blame: it had not begun, or the worker had lived on with it. */
  spared: requeue,
  /** The same, once too often, the last time alone: it is not tried again by itself. */
  silenced: {
    from: ['sending'],
    to: 'in_doubt',
    fence: 'attempt',
    ends: true,
    counts: { wordless: '+ 1' },
    sets: ['run_at', 'reply'],
    events: ['delivery_delayed'],
  },
  /** After attempts without a word it is tried alone: nothing else of this process has begun and is not known to be harmless. */
  try_alone: { ...goesOn, counts: { alone: '= 1' } },
  /** It has been read and composed: from here on it is in the relay's hands. */
  composed_alone: { ...goesOn, counts: { alone: '= 2' } },
  /** The relay has it, and the worker lives. */
  harmless: { ...goesOn, counts: { alone: '= 3' } },
  /** Some recipients were suppressed since: it goes on with the others. */
  narrow: { from: ['sending'], to: 'sending', fence: 'attempt', sets: ['recipients'] },
  /** All recipients were suppressed since. */
  suppress: {
    from: ['sending'],
    to: 'suppressed',
    fence: 'attempt',
    sets: ['run_at', 'reply', 'recipients'],
    events: ['suppressed'],
  },

  /**
   * The gate: after this has committed, and only then, the final dot may leave. Only who is in the envelope stays in it. Where the
   * database went back, its row may be older than another worker's gate, until it is held.
   */
  gate: {
    from: ['sending'],
    to: 'handoff',
    fence: 'attempt',
    unless: 'all_is_being_held',
    counts: { unanswered: '+ 1' },
    sets: ['gated_at', 'run_at', 'content_hash', 'recipients', 'tried', 'repeat_until'],
  },

  /** 2yz to the dot. */
  sent: { ...verdict, sets: ['run_at', 'reply', 'upstream_id'], to: 'sent', events: ['sent'] },
  /** 2yz of the recipient's own server, or kept here. */
  delivered: { ...verdict, sets: ['run_at', 'reply', 'upstream_id'], to: 'delivered', events: ['sent', 'delivered'] },
  /** 5yz to the dot, or 4yz until it was given up. */
  rejected: { ...verdict, to: 'bounced', events: ['bounced'] },
  /**
   * 4yz to the dot: the relay must not deliver it, so the same delivery may be tried again (RFC 5321 4.2.5). Not once it was held:
   * a history that is gone may have known so, and have sent it since.
   */
  put_off: {
    from: ['handoff', 'in_doubt'],
    to: 'queued',
    fence: 'handoff_attempt',
    unless: 'was_held',
    ends: true,
    counts: { tries: '+ 1', unanswered: '- 1', failures: '= 0', wordless: '= 0' },
    sets: ['run_at', 'reply'],
    events: ['delivery_delayed'],
  },

  /** The relay refused the envelope for now, before any dot: whoever may be tried again stays. */
  refused_for_now: {
    from: ['sending'],
    to: 'queued',
    fence: 'attempt',
    counts: { tries: '+ 1', failures: '= 0', wordless: '= 0' },
    sets: ['run_at', 'reply', 'recipients', 'tried'],
    events: ['delivery_delayed'],
  },
  /** The relay refused the envelope for good, before any dot, or for now until it was given up. */
  refused: {
    from: ['sending'],
    to: 'bounced',
    fence: 'attempt',
    counts: { tries: '+ 1', failures: '= 0' },
    sets: ['run_at', 'reply', 'recipients', 'tried'],
    events: ['bounced'],
  },
  /** Nothing was decided and no dot left. */
  unreached: {
    from: ['sending', 'handoff'],
    to: 'queued',
    fence: 'attempt',
    counts: { failures: '+ 1', unanswered: 'own_gate', wordless: '= 0' },
    sets: ['run_at', 'reply', 'tried', 'waits_for'],
    events: ['delivery_delayed'],
    tells: 'first_failure',
  },
  /** The same, for the last time. */
  given_up: {
    from: ['sending', 'handoff'],
    to: 'bounced',
    fence: 'attempt',
    counts: { failures: '+ 1', unanswered: 'own_gate' },
    sets: ['run_at', 'reply', 'tried'],
    events: ['bounced'],
  },

  /** No verdict came to a dot that may have left, or sending it would not be sending the same. */
  doubt: {
    from: ['sending', 'handoff'],
    to: 'in_doubt',
    fence: 'attempt',
    sets: ['run_at', 'reply'],
    events: ['delivery_delayed'],
  },
  /** Its worker is dead, and its dot may have left. */
  orphaned_handoff: {
    from: ['handoff'],
    to: 'in_doubt',
    fence: 'attempt',
    ends: true,
    sets: ['run_at', 'reply'],
    events: ['delivery_delayed'],
  },
  /** No verdict was recorded in all the time there was for one, and its worker lives: it hangs, or has forgotten it. */
  lost_handoff: {
    from: ['handoff'],
    to: 'in_doubt',
    fence: 'attempt',
    ends: true,
    sets: ['run_at', 'reply'],
    events: ['delivery_delayed'],
  },
  /** The database went back in time, or an operator holds everything: it may have left since, or been called off. */
  hold: {
    from: ['queued', 'sending', 'handoff', 'in_doubt'],
    to: 'in_doubt',
    fence: 'attempt',
    ends: 'far',
    sets: ['run_at', 'reply', 'no_repeats'],
    events: ['delivery_delayed'],
  },
  /** The same for what waited for somebody's answer anyway: it is only fenced. */
  hold_doubt: { from: ['in_doubt'], to: 'in_doubt', fence: 'attempt', ends: 'far', sets: [] },
  /** Asking the upstream again would tell nothing more about it: it waits for a person. */
  stop_repeats: { from: ['in_doubt'], to: 'in_doubt', fence: 'attempt', sets: ['reply', 'no_repeats'] },
  /** The `send-again` policy has waited out what is in doubt. */
  send_again: {
    from: ['in_doubt'],
    to: 'queued',
    fence: 'attempt',
    ends: true,
    counts: { possible_duplicate: '+ 1', wordless: '= 0' },
    sets: ['run_at', 'reply', 'held_until'],
    events: ['queued'],
    by: 'policy',
  },

  answer_sent: { ...answer, to: 'sent', sets: ['run_at', 'reply'], events: ['sent'] },
  /** Forgets the content hash, so that bytes a newer composer made may go out: the operator has decided. */
  answer_send_again: {
    ...answer,
    to: 'queued',
    counts: { possible_duplicate: '+ 1', wordless: '= 0' },
    sets: ['run_at', 'reply', 'held_until', 'content_hash'],
    events: ['queued'],
  },
  /**
   * That answer is taken back while nobody has claimed the delivery since: it is as much in doubt as it was. An upstream may be asked
   * again, since the request that is in doubt, and its key, are what they were; a policy does not send it, since a person looked at it.
   */
  answer_taken_back: {
    from: ['queued'],
    to: 'in_doubt',
    fence: 'attempt',
    unless: 'is_not_sent_again',
    counts: { possible_duplicate: '- 1' },
    sets: ['run_at', 'reply', 'held_again'],
    events: ['delivery_delayed'],
    by: 'operator',
  },
  answer_abandon: { ...answer, to: 'failed', sets: ['run_at', 'reply'], events: ['failed'] },

  /** What may have left once already cannot be called off any more. */
  cancel: {
    from: ['queued', 'sending'],
    to: 'canceled',
    fence: 'state',
    unless: 'may_have_left',
    ends: true,
    sets: ['run_at'],
    events: ['canceled'],
  },
  /** The Date header follows the schedule, so bytes that once reached a gate without a dot are forgotten. */
  reschedule: {
    from: ['queued', 'sending'],
    to: 'queued',
    fence: 'state',
    unless: 'was_tried',
    ends: true,
    counts: { wordless: '= 0' },
    sets: ['run_at', 'give_up_at', 'content_hash'],
    events: ['scheduled'],
  },

  /** What came back shows that the relay has taken it, whatever is recorded here: no second copy leaves. */
  shown: {
    from: ['handoff', 'in_doubt', 'queued', 'sending'],
    to: 'sent',
    fence: 'state',
    unless: 'has_not_left',
    ends: true,
    sets: ['run_at', 'reply'],
    events: ['sent'],
    by: 'notice',
  },
  /** A success notice: it is in the recipient's mailbox. */
  noticed_delivered: { ...noticed, from: ['sent'], to: 'delivered', events: ['delivered'] },
  /** A bounce, also of what somebody further on said was delivered. */
  noticed_bounced: { ...noticed, from: ['sent', 'delivered'], to: 'bounced', events: ['bounced'] },
  /** One of several recipients has come to another end, and is a delivery of its own from here on. */
  parted_sent: { ...noticed, from: ['sent'], to: 'sent', sets: ['recipients'] },
  parted_delivered: { ...noticed, from: ['delivered'], to: 'delivered', sets: ['recipients'] },

  /** Test addresses that only pretend. */
  simulate_delivered: { ...simulated, to: 'delivered', events: ['sent', 'delivered'] },
  simulate_bounced: { ...simulated, to: 'bounced', events: ['bounced'] },
  simulate_suppressed: { ...simulated, to: 'suppressed', events: ['suppressed'] },
} as const satisfies Record<string, Edge>;

export type EdgeName = keyof typeof edges;
