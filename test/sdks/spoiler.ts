/** A proxy that changes one type and one enum in every answer: who checks what it reads has to notice (control). */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readWhole } from 'node:stream/consumers';

export type Scope = { after(work: () => unknown): void };

/** Ids become numbers, and states words that nobody knows. */
export function spoil(text: string): string {
  return text
    .replace(/"(id|messageId|message_id)":"[^"]*"/g, '"$1":7')
    .replace(/"(last_event|status|event|type)":"\w*"/g, '"$1":"exploded"');
}

export async function startSpoiler(scope: Scope, target: string): Promise<string> {
  const proxy = http.createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming;
    const onward = http.request(`${target}${url}`, { method, headers }, async (answer) => {
      const text = spoil(await readWhole(answer));
      const { 'content-length': _, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 500, { ...kept, 'content-length': Buffer.byteLength(text) }).end(text);
    });
    onward.once('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  scope.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
