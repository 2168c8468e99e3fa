/** A contact or a domain as it was when it changed: what webhooks are told of it, whatever it is by then. */

import type { Contact } from './contact.ts';
import type { DnsRecord, DomainStatus, RecordStatus } from './domain.ts';

export type ContactSeen = Pick<
  Contact,
  'id' | 'number' | 'address' | 'firstName' | 'lastName' | 'properties' | 'createdAt' | 'updatedAt'
> & {
  unsubscribed: boolean;
  /** Ids. */
  segments: string[];
};

export type RecordSeen = DnsRecord & { status: RecordStatus };

export type DomainSeen = {
  id: string;
  name: string;
  status: DomainStatus;
  region: string;
  createdAt: number;
  records: RecordSeen[];
};

/** Whether anything of it is new. Who asks for what is there already changes nothing. */
export function isChanged(before: ContactSeen, after: ContactSeen): boolean {
  return JSON.stringify({ ...before, updatedAt: 0 }) !== JSON.stringify({ ...after, updatedAt: 0 });
}
