/** One request of a signed-in person: who they are, what they ask for, and what the page may use to answer. */

import type { InForce } from '../../config/in-force.ts';
import type { Clock } from '../../core/clock.ts';
import type { SignerFor } from '../../core/dkim.ts';
import type { Egress } from '../../egress/egress.ts';
import type { Bodies } from '../../http/bodies.ts';
import type { HttpContext } from '../../http/call.ts';
import type { ClientAddress } from '../../http/client-address.ts';
import type { Facade } from '../../http/facade.ts';
import type { Guesses } from '../../http/guesses.ts';
import type { Keyless } from '../../http/keyless.ts';
import type { AttachmentLinks } from '../../http/links/attachment-links.ts';
import type { RelayDesk } from '../../http/own/relays.ts';
import type { Composing } from '../../render/composer.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { DatabaseReader } from '../../store/database.ts';
import type { Accepting } from '../../use-cases/accept.ts';
import type { Accounts } from '../../use-cases/accounts.ts';
import type { Amend } from '../../use-cases/amend.ts';
import type { ApiKeys } from '../../use-cases/api-keys.ts';
import type { Broadcasts } from '../../use-cases/broadcasts.ts';
import type { Contacts } from '../../use-cases/contacts.ts';
import type { Domains } from '../../use-cases/domains.ts';
import type { FindKeyLives } from '../../use-cases/key-history.ts';
import type { Purge } from '../../use-cases/purge.ts';
import type { RelayOrders } from '../../use-cases/relay-orders.ts';
import type { Replay } from '../../use-cases/replay.ts';
import type { Segments } from '../../use-cases/segments.ts';
import type { SettleDoubt } from '../../use-cases/settle-doubt.ts';
import type { Subscribe } from '../../use-cases/subscribe.ts';
import type { Suppress } from '../../use-cases/suppress.ts';
import type { Templates } from '../../use-cases/templates.ts';
import type { VersionedTemplates } from '../../use-cases/versioned-templates.ts';
import type { Live } from './live.ts';
import type { Session, Sessions } from './session.ts';

export type PageParts = {
  database: DatabaseReader;
  facades: readonly Facade[];
  clock: Clock;
  live: Live;
  renderer: Pick<Renderer, 'open' | 'openLater'>;
  egress: Egress;
  links: AttachmentLinks;
  access: { sessions: Sessions; guesses: Guesses; clientAddress: ClientAddress; bodies: Bodies };
  use: PageUseCases;
  relayDesk: RelayDesk;
  keyless: Pick<Keyless, 'counted'>;
  facts: PageFacts;
};

/** All that a person can do here. */
export type PageUseCases = {
  accepting: Accepting;
  amend: Amend;
  subscribe: Subscribe;
  replay: Replay;
  purge: Purge;
  suppress: Suppress;
  apiKeys: ApiKeys;
  domains: Domains;
  settleDoubt: SettleDoubt;
  relayOrders: RelayOrders;
  findKeyLives: FindKeyLives;
  templates: Templates;
  versionedTemplates: VersionedTemplates;
  contacts: Contacts;
  segments: Segments;
  broadcasts: Broadcasts;
  accounts: Accounts;
  /** So that what was counted a moment ago is shown. */
  flushUses: () => Promise<void>;
};

/** What this server is, and how it is set. */
export type PageFacts = {
  /** SPF mechanisms of the relays as they are now. */
  spfSenders: () => readonly string[];
  publicUrl: () => string;
  /** As logs name what there is now: without its password. */
  relay: () => string;
  durable: boolean;
  signerFor: SignerFor;
  compose: Composing;
  inDoubtPolicy: 'hold' | 'send-again';
  retentionDays: number | null;
  /** What the operator wants keys to live at least; null: what each endpoint says. */
  keyLifetimeMs: number | null;
  settings: readonly InForce[];
};

export type Theme = 'light' | 'dark' | null;

export type Visit = {
  context: HttpContext;
  parts: PageParts;
  session: Session;
  theme: Theme;
  /** What the account had when the request came (`Live.now`). */
  since: string;
  /** Decoded query parameters. */
  query: Record<string, string>;
  /** Fields of a form that was sent; empty for GET. */
  form: URLSearchParams;
};

export function isCapture({ facts }: Pick<PageParts, 'facts'>): boolean {
  return facts.relay() === 'capture';
}
