/** Which relays a mail may take, in order: the first route that fits it. */

/** Conditions that are null fit every mail. `from`: an address, a domain, or `*.domain` for those below it; domains in lower case. */
export type Route = {
  from: string | null;
  account: string | null;
  tag: string | null;
  relays: readonly string[];
};

/** What a route looks at. */
export type RouteFacts = { from: string; account: string; tag: string | null };

/** A mail says by this tag which route it means. */
export const routeTag = 'sendonce-relay';

/** `all` in the order of the file, for a mail that fits no route. */
export function relaysFor(routes: readonly Route[], all: readonly string[], facts: RouteFacts): readonly string[] {
  const sender = partsOf(facts.from);
  return routes.find((route) => fits(route, facts, sender))?.relays ?? all;
}

export function tagOf(tags: readonly { name: string; value: string }[]): string | null {
  return tags.find(({ name }) => name === routeTag)?.value ?? null;
}

type Sender = { local: string; domain: string };

/** The sender is taken apart once, however many routes there are. */
function fits({ from, account, tag }: Route, facts: RouteFacts, sender: Sender): boolean {
  if (account !== null && account !== facts.account) return false;
  if (tag !== null && tag !== facts.tag) return false;
  return from === null || isFrom(from, sender);
}

function isFrom(wanted: string, { local, domain }: Sender): boolean {
  if (wanted.startsWith('*.')) return domain.endsWith(wanted.slice(1));
  if (!wanted.includes('@')) return domain === wanted;
  const one = partsOf(wanted);
  return domain === one.domain && local === one.local;
}

/** The domain in lower case; whether the local part has a case is its own domain's business. */
function partsOf(address: string): Sender {
  const at = address.lastIndexOf('@');
  return { local: address.slice(0, Math.max(at, 0)), domain: address.slice(at + 1).toLowerCase() };
}
