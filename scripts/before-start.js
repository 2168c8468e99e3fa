// Before `npm start`: builds. Without the compiler, which only developers install, what was built before is started.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

if (existsSync('node_modules/typescript')) {
  const { status } = spawnSync('npm run --silent build', { stdio: 'inherit', shell: true });
  process.exitCode = status ?? 1;
} else if (!existsSync('dist/main.js')) {
  console.error('Nothing is built yet, and the compiler is a development dependency. Run `npm ci`, then `npm start`.');
  console.error('For production, install the file that `npm pack` makes instead: docs/deploy.md says how.');
  process.exitCode = 1;
}
