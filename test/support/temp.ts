/** A folder of its own for each test, gone afterwards. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Temp = { path(name: string): string; remove(): void };

export function createTemp(): Temp {
  const folder = mkdtempSync(join(tmpdir(), 'sendonce-test-'));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
