/** A real Chromium for the page's tests and pictures: from npm on Linux, an installed one elsewhere. */

import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Ours, not the package's: those switch off what the tests are about (the same-origin policy). */
const words = [
  '--no-sandbox',
  '--no-zygote',
  '--in-process-gpu',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-dev-shm-usage',
  '--hide-scrollbars',
  '--font-render-hinting=none',
];

/** Null where there is none, with the reason said on the console: a skipped test must not be overlooked. */
export async function openBrowser(): Promise<Browser | null> {
  const executablePath = await findChromium();
  try {
    return await chromium.launch({ headless: true, args: words, ...executablePath });
  } catch (error) {
    if (process.platform === 'linux') throw error;
    console.error(`\nTHE PAGE WAS NOT TESTED IN A BROWSER: no Chrome could be started here.\n${String(error)}\n`);
    return null;
  }
}

async function findChromium(): Promise<{ executablePath: string } | { channel: string }> {
  const own = process.env.CHROME_PATH;
  if (own) return { executablePath: own };
  if (process.platform !== 'linux' || process.arch !== 'x64') return { channel: 'chrome' };
  // Where the system has no NSS, the package unpacks its own libraries, if this looks like a Lambda of this Node.
  if (!nssPlaces.some((place) => existsSync(place))) {
    process.env.AWS_EXECUTION_ENV ??= `AWS_Lambda_nodejs${process.versions.node.split('.')[0]}.x`;
  }
  const { default: packed } = await import('@sparticuz/chromium');
  return { executablePath: await packed.executablePath() };
}

const nssPlaces = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib', '/lib64', '/lib/x86_64-linux-gnu'].map(
  (folder) => `${folder}/libnss3.so`,
);
