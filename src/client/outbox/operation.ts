/** What claimed rows become: requests, each under the key that its rows go by for ever. */

/** A row as far as a drain reads it. */
export type OutboxRow = {
  seq: number;
  id: string;
  facade: 'resend' | 'brevo';
  endpoint: string;
  payload: string;
  /** Tries begun before this claim. Once there was one, the row's key is settled. */
  attempts: number;
  /** Since when it may have been accepted without our knowing, epoch milliseconds; null: it was not. */
  unknownSince: number | null;
  /** The id of the first row of its batch. */
  batch: string | null;
};

/** One request, under one key. Rows of a batch are in the order they have in its body. */
export type Operation = { rows: OutboxRow[]; isBatch: boolean };

export type OutboxRequest = { path: string; headers: Record<string, string>; body: string };

/** The contract's. */
const batchRowsMax = 100;
const batchBytesMax = 1_000_000;

/** What a batch of the real service drops silently, or counts keys by otherwise. */
const notInBatches = ['attachments', 'scheduled_at'];

/** One batch of the rows that may still be in one, and each of the others alone. */
export function formOperations(rows: OutboxRow[]): Operation[] {
  const members: OutboxRow[] = [];
  let bytes = 0;
  for (const row of rows.filter(mayBeInBatch)) {
    bytes += row.payload.length;
    if (members.length === batchRowsMax || bytes > batchBytesMax) break;
    members.push(row);
  }
  if (members.length < 2) return rows.map(alone);
  const chosen = new Set(members);
  return [{ rows: members, isBatch: true }, ...rows.filter((row) => !chosen.has(row)).map(alone)];
}

function alone(row: OutboxRow): Operation {
  return { rows: [row], isBatch: false };
}

/** A row that was tried alone stays alone: under another key it could be accepted twice. */
function mayBeInBatch({ facade, endpoint, attempts, payload }: OutboxRow): boolean {
  if (facade !== 'resend' || endpoint !== '/emails' || attempts > 0) return false;
  const content = parseObject(payload);
  return content !== null && !notInBatches.some((member) => member in content);
}

export function keyOf({ rows: [first], isBatch }: Operation): string {
  return `outbox/${isBatch ? 'batch/' : ''}${first?.id}`;
}

/** The same bytes at every try: they are made of what the rows hold. */
export function requestOf(operation: Operation, apiKey: string): OutboxRequest {
  const key = keyOf(operation);
  const [first] = operation.rows;
  if (first?.facade === 'brevo') return brevoRequest(first, key, apiKey);
  const headers: Record<string, string> = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': key,
  };
  if (!operation.isBatch) return { path: first?.endpoint ?? '', headers, body: first?.payload ?? '' };
  // A row that is refused must not keep the others from leaving.
  headers['x-batch-validation'] = 'permissive';
  return { path: '/emails/batch', headers, body: `[${operation.rows.map(({ payload }) => payload).join(',')}]` };
}

/** Brevo's keys stand in the body. */
function brevoRequest({ endpoint, payload }: OutboxRow, key: string, apiKey: string): OutboxRequest {
  const content = parseObject(payload);
  const given = content?.headers;
  const headers = { ...(typeof given === 'object' ? given : {}), idempotencyKey: key };
  return {
    // What the table says where its writer said nothing.
    path: endpoint === '/emails' ? '/v3/smtp/email' : endpoint,
    headers: { 'api-key': apiKey, 'content-type': 'application/json' },
    body: content ? JSON.stringify({ ...content, headers }) : payload,
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
