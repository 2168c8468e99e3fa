/** Mail servers of the system that longer commands try: whether they are there, and where they may listen. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

export function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}
