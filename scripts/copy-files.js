// Copies what the compiler leaves where it is, beside the compiled files: migrations, and the page's style and script.
import { cpSync } from 'node:fs';

const [target] = process.argv.slice(2);
for (const folder of ['store/migrations', 'page/assets']) {
  cpSync(`src/${folder}`, `${target}/${folder}`, { recursive: true });
}
