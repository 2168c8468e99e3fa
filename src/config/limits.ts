/** The limits of the server that no setting changes, each with its reason. */

export type Limits = {
  bodyBytesMax: number;
  bodyTimeoutMs: number;
  remoteBytesMax: number;
  remoteTimeoutMs: number;
  attachmentLinkMs: number;
  garbagePerSecondMax: number;
  apiKeyCacheMs: number;
};

/** What belongs to a facade's contract (recipients, batch sizes, …) stands beside the facade: http/resend/limits.ts. */
export const limits: Limits = {
  // A batch of 100 may carry attachments here; one email of 40 MB must fit with its JSON around it.
  bodyBytesMax: 64 * 1024 * 1024,
  // Node's own default for a whole request; a slower client keeps no memory longer.
  bodyTimeoutMs: 300_000,
  // Decoded, so that Base64 stays within the 40 MB an email may have.
  remoteBytesMax: 30 * 1024 * 1024,
  // Under the 30 s after which the Python SDK gives up and retries.
  remoteTimeoutMs: 20_000,
  // What the real API's links live for.
  attachmentLinkMs: 60 * 60_000,
  // Keys and purged contents a second: 86 million a day, in steps no accept notices.
  garbagePerSecondMax: 1_000,
  // How long a revoked key may still work.
  apiKeyCacheMs: 1_000,
};
