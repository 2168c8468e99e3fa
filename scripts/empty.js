// Empties a folder that is built anew: what was compiled from a file that has moved since must not be run.
import { rmSync } from 'node:fs';

const [target] = process.argv.slice(2);
rmSync(target, { recursive: true, force: true });
