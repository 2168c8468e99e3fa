/** Domains of another service: made here with keys of our own, and what is to be published is said. */

import type { MadeThings } from '../../use-cases/take-over-templates.ts';
import type { Told } from './steps.ts';

/** Told of a domain that was made now alone. */
export async function putDomain(made: MadeThings, domain: string, region: string, tell: Told): Promise<void> {
  const records = await made.putDomain(domain, region);
  if (records === null) return;
  tell(`  ${domain}: not verified yet. Publish these TXT records beside those of the service, then ask for a look:`);
  for (const { name, value } of records) tell(`    ${name}  ${value}`);
}
