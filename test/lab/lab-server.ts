/** How the lab starts its own server, whose clock may run faster and whose guards may be out. */

import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('./server-main.js', import.meta.url));

/** Ten minutes take three seconds; a key still lives for seven minutes, longer than any life in the lab. */
export const labSpeed = 200;

/** Where several processes share a database: one that is silent for fifteen seconds counts as dead, here after 1.5 s. */
export const fleetSpeed = 10;

export function labServer(variant = 'none'): string[] {
  return [process.execPath, main, variant];
}
