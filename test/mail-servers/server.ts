/** What a mail server is asked to do here: to take all mail on a port, and to bring it on, or to write back what became of it. */

/** Where mail for the bounce domain goes: a port, or a program that takes it, with the address as its argument or in `Envelope-to`. */
export type Back = { kind: 'smtp'; port: number } | { kind: 'pipe'; program: string };

export const backDomain = 'back.example.com';

/** What servers do with mail at `test.example`, and what the mail comes to. */
export const mailboxes = {
  unknown: 'bounced',
  full: 'bounced',
  slow: 'delivery_delayed',
  forwarded: 'bounced',
  fine: 'delivered',
} as const;

export type Asked = {
  /** Its own, kept until it ends. */
  folder: string;
  port: number;
  back: Back;
  /** Where all other mail goes on to. */
  onward: number | null;
};

/** Null: it is not to be had here, and that was said. */
export type StartMailServer = (asked: Asked) => Promise<{ end(): Promise<void> } | null>;
