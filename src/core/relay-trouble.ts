/** Why a session with the relay does not come about, what to call it, and what to try first: one vocabulary for page, doctor and log. */

export type RelayTrouble =
  /** The relay refuses user and password. */
  | 'login'
  /** A password is to be sent, and the relay takes none. */
  | 'no_login'
  | 'name'
  | 'nobody_listens'
  | 'silence'
  /** It greets with something else than 220. */
  | 'greeting'
  /** TLS is required, and the relay does not offer STARTTLS. */
  | 'no_tls'
  /** TLS from the first byte is spoken to a port that greets in plain text. */
  | 'not_tls'
  | 'certificate'
  /** TLS fails otherwise. */
  | 'tls'
  /** With `mx:`: nobody tells where mail goes. */
  | 'no_resolver'
  /** With `mx:`: no server that takes everybody's mail can be reached. */
  | 'port_25';

export type Advice = { heading: string; next: string };

const unreachable = 'The relay cannot be reached';

const advice: Record<RelayTrouble, Advice> = {
  login: {
    heading: 'The relay refuses the login',
    next: 'Check user and password in RELAY_URL; special characters must be percent-encoded. Some providers want an app password or an API key here.',
  },
  no_login: {
    heading: 'The relay takes no login on this port',
    next: 'Use its submission port in RELAY_URL (587, or smtps:// and 465), or leave user and password out.',
  },
  name: { heading: unreachable, next: 'The host name in RELAY_URL cannot be resolved. Check its spelling, and DNS.' },
  nobody_listens: {
    heading: unreachable,
    next: 'Nothing listens there. Check host and port in RELAY_URL, and the firewall.',
  },
  silence: {
    heading: unreachable,
    next: 'It does not answer. Many hosts block port 25: use 587. Port 465 wants smtps:// in RELAY_URL.',
  },
  greeting: {
    heading: 'The relay turns this server away',
    next: 'Something else than a relay may listen on that port, or the relay wants to know this address first: read its words.',
  },
  no_tls: {
    heading: 'The relay offers no TLS',
    next: 'Try smtps:// and port 465 in RELAY_URL. Only where nobody can listen between here and the relay, add ?starttls=never.',
  },
  not_tls: {
    heading: 'That port of the relay does not begin with TLS',
    next: 'Write smtp:// instead of smtps:// in RELAY_URL (587 begins in plain text and changes to TLS), or name its TLS port, mostly 465.',
  },
  certificate: {
    heading: 'The relay’s certificate is not accepted',
    next: 'The host in RELAY_URL must be a name on the certificate, and its authority one this machine knows: NODE_EXTRA_CA_CERTS=FILE adds another.',
  },
  tls: {
    heading: 'TLS with the relay fails',
    next: 'Read its words; an old relay may speak only versions of TLS that are no longer safe.',
  },
  no_resolver: {
    heading: 'No DNS resolver answers',
    next: 'mx: asks DNS where mail goes. Check /etc/resolv.conf, or name resolvers: mx:?dns=127.0.0.1:53.',
  },
  port_25: {
    heading: 'No mail server can be reached',
    next: 'mx: needs port 25 to the outside, which many hosts block: ask yours to open it, or send through a relay (smtp://, port 587).',
  },
};

/** Null: the session broke for none of these reasons. */
export function adviceOnTrouble(trouble: RelayTrouble | null): Advice {
  return trouble ? advice[trouble] : { heading: 'The relay ends the session', next: 'Its log may say why.' };
}
