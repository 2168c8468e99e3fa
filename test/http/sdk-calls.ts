/** What the official SDKs for Node ask for: each of their calls made once, with an answer that is made up. */

import { BrevoClient } from '@getbrevo/brevo';
import { Resend } from 'resend';

export type SdkCall = { call: string; method: string; path: string };

/** Calls that ask for nothing by themselves. */
const local = /^(webhooks\.verify|.*Client\.(fetch|passthrough).*)$/;

/** In the order of the SDK; one that refuses what it is given here is left out. */
export async function resendCalls(): Promise<SdkCall[]> {
  const client = new Resend('re_x', { baseUrl: 'http://sdk.test' });
  return record(client as object, [], 3);
}

/** Of the groups that have to do with mail: the others are named in docs/compatibility.md. */
export async function brevoCalls(groups: readonly string[]): Promise<SdkCall[]> {
  const client = new BrevoClient({ apiKey: 'x', baseUrl: 'http://sdk.test/v3', maxRetries: 0 } as never);
  const calls: SdkCall[] = [];
  for (const group of groups) calls.push(...(await record(Reflect.get(client, group) as object, [group], 1)));
  return calls;
}

/** The groups of Brevo's client that are none of these. */
export function brevoGroupsBeside(groups: readonly string[]): string[] {
  const getters = Object.entries(Object.getOwnPropertyDescriptors(BrevoClient.prototype));
  return getters.filter(([name, { get }]) => get !== undefined && !groups.includes(name)).map(([name]) => name);
}

async function record(group: object, names: string[], depth: number): Promise<SdkCall[]> {
  const calls: SdkCall[] = [];
  if (names.length > 0) {
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(group))) {
      const method: unknown = Reflect.get(group, name);
      const call = [...names, name].join('.');
      if (typeof method !== 'function' || name === 'constructor' || /^_|^build|^perform|^append/.test(name)) continue;
      if (local.test(call)) continue;
      const asked = await askedBy(() => method.call(group, anything(), anything(), {}));
      if (asked) calls.push({ call, ...asked });
    }
  }
  if (depth === 0) return calls;
  for (const [name, value] of Object.entries(group)) {
    const isGroup = typeof value === 'object' && value !== null && name !== 'resend' && !name.startsWith('_');
    if (isGroup && !['headers', 'options', 'rawHeaders'].includes(name)) {
      calls.push(...(await record(value, [...names, name], depth - 1)));
    }
  }
  return calls;
}

/** An id wherever one is read, and an object with whatever is asked of it. */
function anything(): unknown {
  const ids = ['id', 'contactId', 'segmentId', 'webhookId', 'eventId', 'emailId', 'automationId', 'runId', 'inboxId'];
  const more = [
    'threadId',
    'messageId',
    'draftId',
    'attachmentId',
    'domainName',
    'domain',
    'identifier',
    'uuid',
    'email',
  ];
  const numbers = ['senderId', 'templateId', 'listId', 'folderId', 'campaignId', 'attributeCategory', 'attributeName'];
  const named = [...ids, ...more, ...numbers, 'attributeType', 'multipleChoiceAttribute', 'processId'].map((name) => [
    name,
    'x',
  ]);
  return Object.assign(new String('x'), Object.fromEntries(named), { topics: [], body: {}, file: new Blob(['x']) });
}

async function askedBy(ask: () => unknown): Promise<Pick<SdkCall, 'method' | 'path'> | null> {
  const real = globalThis.fetch;
  let asked: Pick<SdkCall, 'method' | 'path'> | null = null;
  globalThis.fetch = async (input, init) => {
    asked ??= { method: init?.method ?? 'GET', path: new URL(String(input)).pathname };
    return new Response('{}', { status: 200, headers: { 'content-type': 'application/json' } });
  };
  try {
    await ask();
  } catch {
    // What it makes of a made-up answer is of no interest here.
  } finally {
    globalThis.fetch = real;
  }
  return asked;
}
