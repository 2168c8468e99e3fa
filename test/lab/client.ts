/** One request to a running server, and its answer, or none: how everybody in the lab asks. */

import { Agent, request as httpRequest } from 'node:http';
import { testKey } from '../support/server.ts';

export type Asking = {
  method: string;
  path: string;
  /** The bytes of the body. */
  text?: string;
  /** The idempotency key, as Resend's clients send it. */
  key?: string;
  /** Another API key than the one of the settings. */
  token?: string;
};

/** `url`: who answered. */
export type Reply = { status: number; text: string; isReplayed: boolean; url: string };

export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  /**
   * Null: no answer came in time, or no whole one. Whether the request arrived is then anybody's guess, but where nobody listened:
   * then `onNobody` is called.
   */
  ask(
    url: string,
    { method, path, text, key, token = testKey }: Asking,
    giveUpMs: number,
    onNobody?: () => void,
  ): Promise<Reply | null> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    return new Promise((resolve) => {
      const outgoing = httpRequest(`${url}${path}`, { method, agent: this.#agent, headers });
      const timer = setTimeout(() => outgoing.destroy(), giveUpMs);
      outgoing.on('response', (incoming) => {
        const isReplayed = incoming.headers['idempotent-replayed'] === 'true';
        let body = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('error', () => resolve(null));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: body, isReplayed, url }));
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') onNobody?.();
        resolve(null);
      });
      outgoing.on('close', () => {
        clearTimeout(timer);
        resolve(null);
      });
      outgoing.end(text);
    });
  }

  /** Whoever waits for an answer gets none. */
  hangUp(): void {
    this.#agent.destroy();
  }
}
