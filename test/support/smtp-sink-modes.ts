/** The sink's scripts: how a relay may answer, misbehave and die. */

/** What the sink does instead of its usual answer: waits, says something (with its own CRLF), takes the mail or not, leaves. */
export type Act = {
  when?: Promise<unknown>;
  say?: string;
  accept?: boolean;
  /** Instead of `accept`, where the client has gone while this waited. */
  acceptIfGone?: boolean;
  leave?: 'close' | 'reset' | 'silence';
};

/** One transaction's script; what is absent goes as usual. */
export type Mode = {
  mail?: Act;
  /** A reply line without CRLF, instead of 250. */
  rcpt?: (address: string) => string | undefined;
  /** Instead of 354. */
  data?: Act;
  /** Once the first bytes of the body are there; what it says is premature. */
  inside?: Omit<Act, 'when'>;
  /** Instead of taking the mail and saying 250. `accept` says whether it was taken. */
  dot?: Act;
};

const says = (line: string): Act => ({ say: `${line}\r\n` });

/** The scripts that have a name. */
export const modes = {
  accept: {},
  dropAtMail: { mail: { leave: 'close' } },
  refuseMail: { mail: says('550 5.7.1 not you') },
  deferMail: { mail: says('451 4.3.0 later') },
  goodbyeAtMail: { mail: { say: '421 4.3.2 going down\r\n', leave: 'close' } },
  dropAtData: { data: { leave: 'close' } },
  refuseData: { data: says('554 5.7.1 no data from you') },
  deferData: { data: says('451 4.3.0 no data now') },
  okInsteadOf354: { data: says('250 2.0.0 ok') },
  always354: { data: says('354 go ahead anyway') },
  dropInside: { inside: { leave: 'close' } },
  resetInside: { inside: { leave: 'reset' } },
  acceptThenDrop: { dot: { accept: true, leave: 'close' } },
  acceptThenReset: { dot: { accept: true, leave: 'reset' } },
  dropAtDot: { dot: { leave: 'close' } },
  acceptThenSilence: { dot: { accept: true, leave: 'silence' } },
  silenceAtDot: { dot: { leave: 'silence' } },
  halfReply: { dot: { accept: true, say: '25', leave: 'close' } },
  unendedReply: { dot: { accept: true, say: '250 2.0.0 ok', leave: 'close' } },
  unendedRefusal: { dot: { say: '550 5.0.0 no', leave: 'close' } },
  multiLine: { dot: { accept: true, say: '250-2.0.0 taken\r\n250-2.0.0 gladly\r\n250 2.0.0 done\r\n' } },
  goodbyeAtDot: { dot: { say: '421 4.3.2 going down\r\n', leave: 'close' } },
  deferAtDot: { dot: says('451 4.3.0 later') },
  refuseAtDot: { dot: says('550 5.7.1 spam') },
} satisfies Record<string, Mode>;
