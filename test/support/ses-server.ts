/** An honest SES: takes raw mail over its API from whoever has signed for it, and says what it was told to say otherwise. */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { signed } from '../../src/deliver/upstream/aws-signature.ts';

export type Taken = { mail: string; to: string[]; tags: { Name: string; Value: string }[] };

export type SesServer = {
  readonly port: number;
  readonly taken: Taken[];
  /** Instead of taking it; null: no answer at all. */
  says: (() => { status: number; type?: string; message: string } | null) | null;
  close(): Promise<void>;
};

const path = '/v2/email/outbound-emails';

export async function startSesServer(signer: { accessKeyId: string; secretAccessKey: string }): Promise<SesServer> {
  const taken: Taken[] = [];
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const refuse = (status: number, type: string, message: string) =>
      response.writeHead(status, { 'x-amzn-errortype': type }).end(JSON.stringify({ message }));
    if (request.url !== path || request.method !== 'POST') return refuse(404, 'NotFoundException', 'nothing here');
    if (!isSigned(request, body, signer))
      return refuse(403, 'InvalidSignatureException', 'The signature does not match');
    const { Content, Destination, EmailTags } = JSON.parse(body.toString());
    if (!Content?.Raw?.Data) return refuse(400, 'BadRequestException', 'Content is missing');
    const said = ses.says?.();
    if (said === null) return request.socket.destroy();
    if (said) return refuse(said.status, said.type ?? '', said.message);
    taken.push({
      mail: Buffer.from(Content.Raw.Data, 'base64').toString('latin1'),
      to: Destination.ToAddresses,
      tags: EmailTags,
    });
    return response.writeHead(200).end(JSON.stringify({ MessageId: `ses-${taken.length}` }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ses: SesServer = {
    port: (server.address() as AddressInfo).port,
    taken,
    says: null,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return ses;
}

/** Made again from what arrived, with the secret that both know. */
function isSigned(
  { headers }: http.IncomingMessage,
  body: Buffer,
  own: { accessKeyId: string; secretAccessKey: string },
): boolean {
  const time = String(headers['x-amz-date']);
  const at = new Date(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  if (Number.isNaN(at.getTime()) || Math.abs(Date.now() - at.getTime()) > 5 * 60_000) return false;
  const names = /SignedHeaders=([^,]*)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  if (!names.includes('host')) return false;
  const given = names.filter((name) => name !== 'x-amz-date').map((name) => [name, String(headers[name])]);
  const signer = { ...own, region: 'eu-west-1', service: 'ses' };
  const again = signed({ method: 'POST', path, headers: Object.fromEntries(given), body }, signer, at);
  return again.authorization === headers.authorization;
}
