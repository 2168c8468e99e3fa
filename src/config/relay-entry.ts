/** One [[relay]] of `RELAYS_FILE`: what it is called, where it is, and how it wants to be spoken to. */

import { rootCertificates } from 'node:tls';
import { FieldProblem, type Fields } from './relay-fields.ts';
import { parseRelayUrl, type RelayServer, RelayUrlError } from './relay-url.ts';

export type RelayEntry = {
  name: string;
  server: RelayServer;
  connections: number;
};

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const connectionsDefault = 10;

/** @throws FieldProblem */
export function parseRelay(fields: Fields): RelayEntry {
  const name = fields.needed('name');
  if (!namePattern.test(name)) {
    throw new FieldProblem(
      '`name` must begin with a letter or a digit and have up to 63 of letters, digits, ".", "_", "-".',
    );
  }
  const connections = fields.integer('connections', { min: 1, max: 200 }) ?? connectionsDefault;
  const server = serverOf(fields);
  return { name, server, connections };
}

function serverOf(fields: Fields): RelayServer {
  const url = fields.needed('url', encodeURIComponent);
  const password = fields.secret('password');
  const ehlo = fields.text('ehlo');
  const ca = fields.file('ca_file');
  const verify = fields.flag('verify', true);
  if (ehlo !== null && !/^[!-~]{1,255}$/.test(ehlo)) throw new FieldProblem('`ehlo` must be a host name.');
  if (ca !== null && !verify)
    throw new FieldProblem('`ca_file` says nothing where `verify` is false: leave one of them out.');
  const server = { ...readServer(url, password), ...(ehlo === null ? {} : { name: ehlo }) };
  if (!verify) return { ...server, tls: { rejectUnauthorized: false } };
  // What is given replaces what the system knows.
  return ca === null ? server : { ...server, tls: { ca: [...rootCertificates, ca] } };
}

function readServer(url: string, password: string | null): RelayServer {
  try {
    const setting = parseRelayUrl(url, password);
    if (setting.kind === 'smtp') return setting.server;
  } catch (error) {
    if (error instanceof RelayUrlError) throw new FieldProblem(`\`url\` ${error.message}`);
    throw error;
  }
  throw new FieldProblem('`url` is capture:, which stands alone: write it into RELAY_URL.');
}
