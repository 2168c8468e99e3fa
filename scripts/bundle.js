// Makes of our modules, some 450, the few files that are started: `node scripts/bundle.js dist|build`. Half of what a start took was to find
// and read the modules. Libraries stay what npm installs. `build` is for tests, and holds their servers as well.
import { cpSync } from 'node:fs';
import { build } from 'esbuild';

const [target] = process.argv.slice(2);
const isForTests = target === 'build';
const own = isForTests ? 'src/' : '';

// Threads, migrations, styles and scripts are looked for beside the code that asks for them: all of it is in one folder.
const entries = {
  main: 'src/main.ts',
  'renderer-thread': 'src/render/renderer-thread.ts',
  'composer-thread': 'src/render/composer-thread.ts',
  'aside-thread': 'src/store/engine/sqlite/aside-thread.ts',
};
const packaged = { 'client/client': 'src/client/client.ts', 'client/outbox/outbox': 'src/client/outbox/outbox.ts' };
// Programs of tests that start a server.
const forTests = {
  'test/lab/server-main': 'test/lab/server-main.ts',
  'test/e2e/failing-start': 'test/e2e/failing-start.ts',
  'test/e2e/hanging-server': 'test/e2e/hanging-server.ts',
};

await build({
  entryPoints: {
    ...Object.fromEntries(Object.entries(entries).map(([name, file]) => [own + name, file])),
    ...(isForTests ? forTests : packaged),
  },
  outdir: target,
  chunkNames: `${own}[name]-[hash]`,
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  logLevel: 'warning',
});
for (const folder of ['store/migrations', 'page/assets'])
  cpSync(`src/${folder}`, `${target}/${own}${folder.split('/')[1]}`, { recursive: true });
// Tests load modules one by one, too.
if (isForTests)
  for (const folder of ['store/migrations', 'page/assets'])
    cpSync(`src/${folder}`, `build/src/${folder}`, { recursive: true });
