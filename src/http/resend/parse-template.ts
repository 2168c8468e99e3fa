/** The bodies of /templates, for new ones and for changes. */

import { randomBytes } from 'node:crypto';
import {
  isOfType,
  isVariableKey,
  type TemplateVariable,
  type VariableValue,
  variableTypes,
} from '../../core/template-variable.ts';
import { createKeyId, isUuid } from '../../core/token.ts';
import type { VersionedContent } from '../../store/versioned-templates.ts';
import type { NewVersioned, VersionedChange } from '../../use-cases/versioned-templates.ts';
import { type Fields, isAbsent, isFields } from '../fields.ts';
import { parseLine, parseName } from './json-body.ts';
import { resendLimits } from './limits.ts';
import { parseAddress, parseAddresses } from './parse-address.ts';
import { invalidField, missingField, parseSubject, parseText } from './parse-fields.ts';

export function parseNewTemplate(fields: Fields, now: number): NewVersioned {
  const name = parseName(fields);
  if (isAbsent(fields.html)) throw missingField('html');
  const { alias = null, ...change } = parseTemplateChange(fields, now);
  return { alias, content: { ...blank, ...change, name } };
}

const blank: VersionedContent = {
  name: '',
  from: null,
  subject: null,
  replyTo: [],
  html: '',
  text: null,
  variables: [],
};

/** The members that are there; an empty `from`, `subject` or `alias` takes it away. */
export function parseTemplateChange(fields: Fields, now: number): VersionedChange {
  const change: VersionedChange = {};
  if (!isAbsent(fields.name)) change.name = parseLine('name', fields.name);
  if (fields.alias !== undefined) change.alias = isAbsent(fields.alias) ? null : parseAlias(fields.alias);
  if (fields.from !== undefined) {
    change.from = isAbsent(fields.from) ? null : parseAddress('from', fields.from, resendLimits);
  }
  if (fields.subject !== undefined) {
    change.subject = isAbsent(fields.subject) ? null : parseSubject(fields.subject, resendLimits);
  }
  if (fields.reply_to !== undefined) change.replyTo = parseAddresses('reply_to', fields.reply_to, resendLimits);
  if (!isAbsent(fields.html)) change.html = parseBody('html', fields.html) ?? '';
  if (fields.text !== undefined) change.text = parseBody('text', fields.text);
  if (fields.variables !== undefined) change.variables = parseVariables(fields.variables, now);
  return change;
}

function parseAlias(value: unknown): string {
  const alias = parseLine('alias', value);
  // It could not be told from an id.
  if (isUuid(alias) || alias.includes('/')) throw invalidField('alias', 'It must not be a UUID or hold a slash.');
  return alias;
}

function parseBody(field: 'html' | 'text', value: unknown): string | null {
  const text = parseText(field, value);
  if (text !== null && text.length > resendLimits.templateCharsMax) {
    throw invalidField(field, `It must have at most ${resendLimits.templateCharsMax} characters.`);
  }
  return text;
}

function parseVariables(value: unknown, now: number): TemplateVariable[] {
  if (value === null) return [];
  if (!Array.isArray(value) || value.length > resendLimits.variablesMax) {
    throw invalidField('variables', `It must be an array of at most ${resendLimits.variablesMax} variables.`);
  }
  const variables = value.map((one) => parseVariable(one, now));
  const twice = variables.find(({ key }, index) => variables.findIndex((one) => one.key === key) < index);
  if (twice) throw invalidField('variables', `There are two variables \`${twice.key}\`.`);
  return variables;
}

function parseVariable(value: unknown, now: number): TemplateVariable {
  if (!isFields(value))
    throw invalidField('variables', 'Each must be an object of `key`, `type` and `fallback_value`.');
  const { key } = value;
  if (typeof key !== 'string' || !isVariableKey(key)) {
    throw invalidField(
      'variables',
      `A \`key\` has 1 to 50 ASCII letters, digits and underscores and is none of the reserved names${typeof key === 'string' ? `: \`${key.slice(0, 60)}\` is not one` : ''}.`,
    );
  }
  const type = variableTypes.find((one) => one === value.type);
  if (!type) throw invalidField('variables', `The \`type\` of \`${key}\` must be one of ${variableTypes.join(', ')}.`);
  // Node's SDK writes it as its callers do.
  const fallback = value.fallback_value ?? value.fallbackValue ?? null;
  if (fallback !== null && !isOfType(fallback, type)) {
    throw invalidField('variables', `The fallback value of \`${key}\` is not of the type \`${type}\`.`);
  }
  return {
    ...{ id: createKeyId(randomBytes), key, type },
    ...{ fallback: fallback as VariableValue | null, createdAt: now, updatedAt: now },
  };
}
