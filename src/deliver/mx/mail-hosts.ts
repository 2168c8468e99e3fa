/** Which hosts take a domain's mail, in the order they are to be tried (RFC 5321 5.1, RFC 7505). */

import { domainToASCII } from 'node:url';
import { type MailDns, NoSuchName } from '../../egress/mail-dns.ts';

/** `refused`: no try can change it. `unknown`: nobody could say. */
export type MailHosts = { hosts: string[] } | { refused: { text: string; enhanced: string } } | { unknown: string };

/** `random`: 0 ≤ x < 1, for hosts of the same rank. */
export async function findMailHosts(dns: MailDns, domain: string, random: () => number): Promise<MailHosts> {
  const name = domainToASCII(domain);
  // An address in brackets (RFC 5321 4.1.3) says no more than that somebody wants us to connect there.
  if (name === '' || domain.startsWith('[')) return refused(`${domain} is no domain name`, '5.1.2');
  try {
    const records = await dns.mx(name);
    // RFC 5321 5.1: the domain itself, where it has no MX.
    if (records.length === 0) return { hosts: [name] };
    const ranked = records.filter(({ host }) => host !== '' && host !== '.');
    if (ranked.length === 0) return refused(`${domain} takes no mail, as its DNS says (null MX, RFC 7505)`, '5.1.10');
    const drawn = ranked.map((one) => ({ ...one, lot: random() }));
    drawn.sort((a, b) => a.priority - b.priority || a.lot - b.lot);
    return { hosts: [...new Set(drawn.map(({ host }) => host))] };
  } catch (error) {
    if (error instanceof NoSuchName) return refused(`${domain} does not exist in DNS`, '5.1.2');
    return { unknown: `DNS does not say where mail for ${domain} goes: ${wordsOf(error)}` };
  }
}

/** Of the resolver, by its code. */
export function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

function refused(text: string, enhanced: string): MailHosts {
  return { refused: { text: `${text}: nothing was sent.`, enhanced } };
}
