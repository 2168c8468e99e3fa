/** What access tokens for XOAUTH2 are asked for with. */

/** `refreshToken` null: the client's own credentials (RFC 6749 4.4), otherwise what a person has consented to (section 6). */
export type OAuthGrant = {
  tokenUrl: string;
  clientId: string;
  clientSecret: string | null;
  refreshToken: string | null;
  scope: string | null;
};
