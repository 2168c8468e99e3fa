/** People an account writes to, and what they want to hear of. */

export type Subscription = 'opt_in' | 'opt_out';
export const subscriptions: readonly Subscription[] = ['opt_in', 'opt_out'];

export type PropertyValue = string | number;

export type Contact = {
  account: string;
  id: string;
  /** As Brevo's API calls it. */
  number: number;
  address: string;
  firstName: string | null;
  lastName: string | null;
  /** Null: mail is welcome, but for topics they left. */
  unsubscribedAt: number | null;
  properties: Record<string, PropertyValue>;
  createdAt: number;
  updatedAt: number;
};

/** Resend's segment (once called an audience) and Brevo's list: a set of contacts. */
export type Segment = {
  account: string;
  id: string;
  number: number;
  name: string;
  folder: number;
  createdAt: number;
};

export type Topic = {
  account: string;
  id: string;
  name: string;
  description: string | null;
  /** What holds for who has not chosen. */
  defaultSubscription: Subscription;
  /** Whether it stands on the page where people choose. */
  isPublic: boolean;
  createdAt: number;
};

export type ContactProperty = {
  account: string;
  id: string;
  name: string;
  type: 'string' | 'number';
  fallback: PropertyValue | null;
  createdAt: number;
};
