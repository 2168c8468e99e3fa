/** The bodies of /contacts. */

import { parseMailbox } from '../../core/address.ts';
import { type PropertyValue, type Subscription, subscriptions } from '../../core/contact.ts';
import { AppError } from '../../core/error.ts';
import type { Choice, ContactChange, NewContact } from '../../use-cases/contacts.ts';
import { breaksLine, type Fields, isAbsent, isFields, wellFormed } from '../fields.ts';
import { parseLine } from './json-body.ts';
import { resendLimits } from './limits.ts';
import { invalidField, missingField } from './parse-fields.ts';

export function parseNewContact(fields: Fields): NewContact {
  if (isAbsent(fields.email)) throw missingField('email');
  return { ...parseContactChange(fields), address: parseEmail(fields.email) };
}

export function parseContactChange(fields: Fields): ContactChange {
  const change: ContactChange = {};
  if (!isAbsent(fields.email)) change.address = parseEmail(fields.email);
  if (fields.first_name !== undefined) change.firstName = parseNameOf('first_name', fields.first_name);
  if (fields.last_name !== undefined) change.lastName = parseNameOf('last_name', fields.last_name);
  if (!isAbsent(fields.unsubscribed)) change.unsubscribed = parseFlag('unsubscribed', fields.unsubscribed);
  if (!isAbsent(fields.properties)) change.properties = parseProperties(fields.properties);
  const segments = [
    ...(isAbsent(fields.audience_id) ? [] : [fields.audience_id]),
    ...(isAbsent(fields.segments) ? [] : parseList('segments', fields.segments)),
  ];
  if (segments.length > 0) change.addTo = segments.map((one) => ({ id: parseId('segments', one) }));
  if (!isAbsent(fields.topics)) change.choices = parseChoices(fields.topics);
  return change;
}

export function parseEmail(value: unknown): string {
  const isText = typeof value === 'string' && value.length <= resendLimits.addressCharsMax && !breaksLine(value);
  const mailbox = isText ? parseMailbox(value) : null;
  if (!mailbox) throw invalidField('email', 'It must be an email address, as `email@example.com`.');
  return mailbox.address;
}

function parseNameOf(field: string, value: unknown): string | null {
  return isAbsent(value) ? null : parseLine(field, value);
}

export function parseFlag(field: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidField(field, 'It must be true or false.');
  return value;
}

/** PHP writes an empty map as `[]`. */
function parseProperties(value: unknown): Record<string, PropertyValue | null> {
  if (Array.isArray(value) && value.length === 0) return {};
  if (!isFields(value) || Object.keys(value).length > resendLimits.propertiesMax) {
    throw invalidField('properties', `It must be an object of at most ${resendLimits.propertiesMax} properties.`);
  }
  const properties = Object.entries(value).map(([name, one]): [string, PropertyValue | null] => {
    if (!isPropertyName(name)) {
      throw invalidField('properties', 'A name has 1 to 50 ASCII letters, digits and underscores.');
    }
    if (one === null || (typeof one === 'number' && Number.isFinite(one))) return [name, one];
    if (typeof one !== 'string' || one.length > resendLimits.propertyCharsMax) {
      throw invalidField(
        'properties',
        `\`${name}\` must be a number or a text of at most ${resendLimits.propertyCharsMax} characters.`,
      );
    }
    return [name, wellFormed(one)];
  });
  return Object.fromEntries(properties);
}

export function isPropertyName(text: string): boolean {
  return /^[A-Za-z0-9_]{1,50}$/.test(text);
}

/** A bare array, as Node's SDK writes it, or `{topics}`, as the contract has it. */
export function parseChoices(value: unknown): Choice[] {
  const list = isFields(value) ? value.topics : value;
  return parseList('topics', list ?? []).map((one) => {
    if (!isFields(one)) throw invalidField('topics', 'Each must be an object of `id` and `subscription`.');
    return { topic: parseId('topics', one), subscription: parseSubscription('topics', one.subscription) };
  });
}

export function parseSubscription(field: string, value: unknown): Subscription {
  const subscription = subscriptions.find((one) => one === value);
  if (!subscription) throw invalidField(field, 'It must be `opt_in` or `opt_out`.');
  return subscription;
}

function parseList(field: string, value: unknown): unknown[] {
  if (!Array.isArray(value) || value.length > resendLimits.batchMax) {
    throw invalidField(field, `It must be an array of at most ${resendLimits.batchMax} items.`);
  }
  return value;
}

/** An id, or an object that has one. */
function parseId(field: string, value: unknown): string {
  const id = isFields(value) ? value.id : value;
  if (typeof id !== 'string') throw new AppError('invalid_field', `Each of \`${field}\` must have an \`id\`.`);
  return id;
}
