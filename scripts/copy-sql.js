// Copies the migrations beside the compiled store: the compiler moves TypeScript only.
import { cpSync } from 'node:fs';

const [target] = process.argv.slice(2);
cpSync('src/store/migrations', `${target}/store/migrations`, { recursive: true });
