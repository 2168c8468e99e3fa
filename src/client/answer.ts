/** What came of a request, in one shape: of `fetch`, and of what each official SDK returns or throws. */

export type Answer = {
  /** Null: no answer came, or none that tells its status. */
  status: number | null;
  /** What JSON.parse made of it; undefined where it is not JSON. */
  body: unknown;
  header: (name: string) => string | null;
  /** The SDK refused it by itself: nothing was sent. */
  isUnsent?: boolean;
};

type Members = Record<string, unknown>;

/** How each of them shows what came; the first that fits. */
const readings: readonly ((result: Members) => Answer | Promise<Answer> | null)[] = [
  readResponse,
  readResendResult,
  readBrevoError,
  readNested,
  readBareError,
  readBrevoSuccess,
];

export async function readAnswer(result: unknown): Promise<Answer> {
  if (typeof result === 'object' && result !== null) {
    for (const read of readings) {
      const answer = read(result as Members);
      if (answer) return answer;
    }
  }
  return { status: null, body: undefined, header: headersOf(null) };
}

/** What `fetch` resolves with. Its body is left to whoever asked for it. */
async function readResponseBody(response: Response): Promise<Answer> {
  const header = headersOf(response.headers);
  try {
    return { status: response.status, body: parsed(await response.clone().text()), header };
  } catch {
    // Read before, or cut off: the status has come all the same.
    return { status: response.status, body: undefined, header };
  }
}

function readResponse(result: Members): Promise<Answer> | null {
  const isResponse = typeof result.status === 'number' && typeof result.clone === 'function';
  return isResponse ? readResponseBody(result as unknown as Response) : null;
}

/** Resend's SDK for Node: `{ data, error, headers }`, and never throws. */
function readResendResult({ data, error, headers }: Members): Answer | null {
  if (data === undefined || error === undefined) return null;
  const header = headersOf(headers);
  if (!isMembers(error)) return { status: 200, body: data, header };
  const status = numberOr(error.statusCode, null);
  // What fetch could not do is an `application_error`; everything else without a status the SDK has found by itself.
  const isUnsent = error.statusCode === null && error.name !== 'application_error';
  return { status, body: error, header, isUnsent };
}

/** @getbrevo/brevo 4 to 6: BrevoError, whose `rawResponse` has the headers. 2: HttpError, whose `response` has them. */
function readBrevoError({ statusCode, body, rawResponse, response }: Members): Answer | null {
  if (typeof statusCode !== 'number' || body === undefined) return null;
  const from = isMembers(rawResponse) ? rawResponse : response;
  return { status: statusCode, body: parsed(body), header: headersOf(isMembers(from) ? from.headers : null) };
}

/** @getbrevo/brevo 3 (axios) and sib-api-v3-sdk (superagent): an error with `response`, or an answer beside its `body`. */
function readNested({ response, body }: Members): Answer | null {
  if (!isMembers(response)) return null;
  const status = numberOr(response.status, numberOr(response.statusCode, null));
  if (status === null) return null;
  const content = [body, response.data, response.body, response.text].find((one) => one !== undefined);
  return { status, body: parsed(content), header: headersOf(response.headers) };
}

/** The body of a refusal by itself, as Resend's error objects are handed on. */
function readBareError(result: Members): Answer | null {
  if (typeof result.statusCode !== 'number' || typeof result.name !== 'string') return null;
  return { status: result.statusCode, body: result, header: headersOf(null) };
}

/** @getbrevo/brevo 4 to 6 resolves with the body alone. */
function readBrevoSuccess(result: Members): Answer | null {
  const isSuccess = typeof result.messageId === 'string' || Array.isArray(result.messageIds);
  return isSuccess ? { status: 201, body: result, header: headersOf(null) } : null;
}

function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Of `Headers`, or of a plain object. */
function headersOf(headers: unknown): Answer['header'] {
  if (!isMembers(headers)) return () => null;
  const { get } = headers;
  if (typeof get === 'function') return (name) => (get.call(headers, name) as string | null | undefined) ?? null;
  const plain = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  return (name) => plain.get(name) ?? null;
}

function numberOr<T>(value: unknown, other: T): number | T {
  return typeof value === 'number' ? value : other;
}

export function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}
