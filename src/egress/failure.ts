/** Why a request to somebody else's address came to nothing: a closed list, each with a sentence its author can act on. */

export type FailureKind =
  /** Not an http or https URL, or one with credentials in it. */
  | 'invalid_url'
  /** Every address of the host is one we do not connect to. */
  | 'blocked_address'
  /** The name has no address, or none that could be found out now. */
  | 'unresolvable'
  /** No connection: refused, reset, no route. */
  | 'unreachable'
  /** TLS failed, mostly because of the certificate. */
  | 'untrusted'
  /** Not over when its time was. */
  | 'timeout'
  /** It speaks something that is not HTTP, or ended before its own end. */
  | 'broken_response'
  /** 3xx: a redirect could lead anywhere, so none is followed. */
  | 'redirected'
  /** An answer that is neither a redirect nor what was asked for. */
  | 'bad_status'
  /** More bytes than the caller takes. */
  | 'too_large'
  /** Compressed although we asked for it not to be. */
  | 'encoded';

/** `message` is for the author of the URL: it names the host, never an address of ours that the name resolved to. */
export type EgressFailure = { kind: FailureKind; message: string };

/** OpenSSL's verification errors (`X509_V_ERR_…`, as Node names them) and those of the handshake. */
const tlsCode = /CERT|SIGNATURE|^ERR_TLS|^ERR_SSL|^EPROTO$|^HOSTNAME_MISMATCH$|^INVALID_(CA|PURPOSE)$/;

/** What Node's http client emits, told apart by `code`; the text of its errors is not stable and says our addresses. */
export function failureOf(error: unknown, host: string): EgressFailure {
  const code = codeOf(error);
  if (tlsCode.test(code)) {
    return {
      kind: 'untrusted',
      message: `No secure connection to ${host} could be made (${code}); check its certificate.`,
    };
  }
  if (code.startsWith('HPE_') || code === 'ECONNRESET') {
    return { kind: 'broken_response', message: `${host} broke off or did not answer in HTTP (${code}).` };
  }
  return { kind: 'unreachable', message: `${host} could not be reached (${code}).` };
}

/** Several addresses tried in turn fail with an AggregateError, whose first cause says the most. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return 'unknown error';
}
