/** Where an answer does not fit what a vendor's file says, and the file is what is wrong: each with the reason. */

export type Exception = {
  spec: 'resend' | 'brevo' | 'own';
  /** Of operations, as `METHOD /path`. */
  operation: RegExp;
  /** Of what was found. */
  says: RegExp;
  because: string;
};

export const exceptions: readonly Exception[] = [
  {
    spec: 'resend',
    operation: /^(GET|PATCH) \/templates/,
    says: /null is not of type "string" at (data\/\d+\/)?(alias|from|subject|text|reply_to|published_at|html)/,
    because: 'what a template does not have is null at the service and in the types of its SDKs',
  },
  {
    spec: 'resend',
    operation: /^GET \/topics/,
    says: /null is not of type "string" at (data\/\d+\/)?description/,
    because: 'a topic without a description has null at the service',
  },
  {
    spec: 'brevo',
    operation: /^(POST|GET|PUT) \/senders\/domains/,
    says: /is not of type "integer" at (domains\/\d+\/)?id/,
    because: 'ids of domains are those of /domains here; the SDKs of Brevo read them as they come',
  },
  {
    spec: 'brevo',
    operation: /^(POST|GET|PUT) \/senders\/domains/,
    says: /"brevo_code" is a required property/,
    because: 'that record proves a domain to Brevo; here the DKIM record does, and no other is asked for',
  },
  {
    spec: 'brevo',
    operation: /^GET \/account/,
    says: /"" is not a "email"/,
    because: 'there is no such address here; strict SDKs read the empty string, and break at null',
  },
  {
    spec: 'brevo',
    operation: /^GET \/smtp\/templates/,
    says: /"" is not a "email" at (templates\/\d+\/)?replyTo/,
    because: 'a template without a reply address has the empty string at the service, too',
  },
];
