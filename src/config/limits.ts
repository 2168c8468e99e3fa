/** The limits of the server that no setting changes, each with its reason. */

import { availableParallelism } from 'node:os';

export type Limits = {
  bodyBytesMax: number;
  bodyTimeoutMs: number;
  bodyWindowMs: number;
  bodyBytesPerSecondMin: number;
  smallBodyBytesMax: number;
  smallBodiesBytesMax: number;
  largeBodiesBytesMax: number;
  bodiesAtWorkBytesMax: number;
  bodyTurnMs: number;
  largeMailBytesMin: number;
  largeMailsBytesMax: number;
  largeMailWaitMs: number;
  largeMailPauseMs: number;
  jsonDepthMax: number;
  jsonValuesMax: number;
  jsonMembersMax: number;
  jsonNumbersMax: number;
  remoteBytesMax: number;
  remoteTimeoutMs: number;
  attachmentLinkMs: number;
  garbagePerSecondMax: number;
  apiKeyCacheMs: number;
  accountCacheMs: number;
  renderMsMax: number;
  renderLaterMsMax: number;
  renderQuickMs: number;
  renderQuickThreads: number;
  renderSlowThreads: number;
  renderIdleMs: number;
  renderOutputCharsMax: number;
  renderHeapMbMax: number;
  wrongKeysFree: number;
  wrongKeysWindowMs: number;
  wrongKeyEveryMs: number;
  wrongKeyWaitMs: number;
  watchMs: number;
};

/** What belongs to a facade's contract (recipients, batch sizes, …) stands beside the facade: http/resend/limits.ts. */
export const limits: Limits = {
  // A batch of 100 may carry attachments here; one email of 40 MB must fit with its JSON around it.
  bodyBytesMax: 64 * 1024 * 1024,
  // Node's own default for a whole request; a slower client keeps no memory longer.
  bodyTimeoutMs: 300_000,
  // As long as a mobile network may be silent; twice in a row nobody's is.
  bodyWindowMs: 10_000,
  // A modem's. A client that sends less keeps a connection open, not a request going.
  bodyBytesPerSecondMin: 1_024,
  // Nearly every mail without files is smaller: such requests have room of their own, which large ones cannot take.
  smallBodyBytesMax: 64 * 1024,
  // 512 of the largest of them at once.
  smallBodiesBytesMax: 32 * 1024 * 1024,
  // Raw bytes of large requests under way: one of the largest, and others beside it.
  largeBodiesBytesMax: 96 * 1024 * 1024,
  // At work a body takes some five times its size (raw, as text, parsed, decoded, canonical): one of the largest at a time.
  bodiesAtWorkBytesMax: 64 * 1024 * 1024,
  // Under the 30 s after which the Python SDK gives up and retries.
  bodyTurnMs: 20_000,
  // From here on a mail waits for its turn: 20 smaller ones at once take no more than 100 MB.
  largeMailBytesMin: 1024 * 1024,
  // Composed, and not yet taken by the relay: two of the largest.
  largeMailsBytesMax: 96 * 1024 * 1024,
  // It keeps another mail from being sent meanwhile.
  largeMailWaitMs: 2_000,
  largeMailPauseMs: 2_000,
  // Ours: mails are flat; the params of a template are nested as deep as somebody has thought.
  jsonDepthMax: 100,
  // Ours: a full batch of 100 with 50 recipients in each of to, cc, bcc and reply_to, headers, tags and files has some 200,000.
  jsonValuesMax: 400_000,
  // A name nobody has used costs JSON.parse a microsecond; 1,000 versions of 100 params each have as many.
  jsonMembersMax: 100_000,
  // Resend's SDK for Node up to 6.22 writes files as arrays of bytes: 10 MB of them, which take 240 MB of memory.
  jsonNumbersMax: 10_000_000,
  // Decoded, so that Base64 stays within the 40 MB an email may have.
  remoteBytesMax: 30 * 1024 * 1024,
  // Under the 30 s after which the Python SDK gives up and retries.
  remoteTimeoutMs: 20_000,
  // What the real API's links live for.
  attachmentLinkMs: 60 * 60_000,
  // Keys and purged contents a second: 86 million a day, in steps no accept notices.
  garbagePerSecondMax: 1_000,
  // With what a busy process reads late (a checkpoint is under way): a revoked key stops working within a second.
  // With the key's: how long a disabled account may still work is less than a second and a half.
  apiKeyCacheMs: 750,
  accountCacheMs: 250,
  // All that one request has rendered, waiting included: it is to be answered within 2 s, reading and committing it too.
  renderMsMax: 1_500,
  // What no client waits for, such as the text part of a mail that an older version has accepted.
  renderLaterMsMax: 10_000,
  // An ordinary mail takes 1 ms, a newsletter of 500 kB some 60: what takes longer is moved aside.
  renderQuickMs: 100,
  // One core is the serving thread's; four threads make more text than one serving thread accepts.
  renderQuickThreads: Math.max(1, Math.min(4, availableParallelism() - 1)),
  // So that one slow sender does not have the only place aside; each may take a core from others.
  renderSlowThreads: 2,
  // Longer than between two mails on a quiet server; a thread that waits holds some 10 MB.
  renderIdleMs: 30_000,
  // Of one text: twice what is read of html, and as long as a template may come out.
  renderOutputCharsMax: 4 * 1024 * 1024,
  // Four times what the largest honest html takes. A thread that needs more is ended.
  renderHeapMbMax: 128,
  // A deployment with the wrong key is noticed by then; so many guesses find no key that a start allows.
  wrongKeysFree: 20,
  wrongKeysWindowMs: 10 * 60_000,
  // 86,400 guesses a day and address: against 16 characters nothing.
  wrongKeyEveryMs: 1_000,
  // A right key that comes from the same address as the guesses waits in line with them, once.
  wrongKeyWaitMs: 5_000,
  // Less than a probe waits for us, more than a loaded database needs for one row.
  watchMs: 1_500,
};
