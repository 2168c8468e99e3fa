/**
 * Official SDKs of several languages against a real server, each call told and judged: `npm run test:sdks [LANGUAGE …]`.
 * `--newest` takes the newest versions, `--control` spoils every answer, which each SDK has to notice, `--write` writes docs/sdks.md.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { makeGround } from './ground.ts';
import { type Command, type Language, languages, type Sdk } from './languages.ts';
import { type Call, documentOf, matrixOf, type Result } from './matrix.ts';

const run = promisify(execFile);
const document = fileURLToPath(new URL('../../../docs/sdks.md', import.meta.url));
/** Kept between runs: installing takes most of the time. */
const home = join(tmpdir(), 'sendonce-sdks');
const installMs = 10 * 60_000;
const scriptMs = 3 * 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { newest: { type: 'boolean' }, control: { type: 'boolean' }, write: { type: 'boolean' } },
});
const isControl = values.control === true;

function chosen(): Language[] {
  const unknown = positionals.find((name) => !languages.some((one) => isNamed(one, name)));
  if (unknown !== undefined) {
    console.error(`There is no "${unknown}". Languages: ${languages.map(({ name }) => name).join(', ')}`);
    process.exit(2);
  }
  return languages.filter((one) => positionals.length === 0 || positionals.some((name) => isNamed(one, name)));
}

function isNamed({ name }: Language, text: string): boolean {
  return name.toLowerCase() === text.toLowerCase();
}

async function runLanguage(language: Language): Promise<Result[]> {
  const works = await run('which', [language.needs]).then(
    () => true,
    () => false,
  );
  if (!works) {
    console.log(`NOT RUN: ${language.name}: there is no ${language.needs} on this machine.`);
    return [];
  }
  const folder = join(home, language.name.toLowerCase());
  mkdirSync(folder, { recursive: true });
  const startedAt = performance.now();
  for (const one of language.install(folder, values.newest === true)) await execute(one, installMs);
  console.log(`${language.name}: installed in ${seconds(startedAt)}`);
  const results: Result[] = [];
  const asked = language.sdks.filter(({ vendor }) => !(isControl && vendor === 'Frameworks'));
  for (const sdk of asked) results.push(await runSdk(language, sdk, folder));
  return results;
}

/** On a server of its own: what one leaves behind another does not meet. */
async function runSdk(language: Language, sdk: Sdk, folder: string): Promise<Result> {
  const ends: (() => unknown)[] = [];
  const startedAt = performance.now();
  try {
    const ground = await makeGround(
      { after: (end) => ends.push(end) },
      {
        isSpoiled: isControl,
        store: sdk.proxied?.(folder) ?? null,
      },
    );
    const environment = { ...ground.environment, SDK: `${language.name} ${sdk.name}`.replace(/[@/ ]+/g, ' ').trim() };
    const { said, trouble } = await execute(sdk.run(folder), scriptMs, environment);
    const calls = callsIn(said);
    if (trouble !== null) calls.push({ call: 'the script', ok: false, said: trouble });
    const counted = isControl ? [] : await ground.countMails();
    for (const text of counted) calls.push({ call: 'leaves once', ok: false, said: text });
    const failed = calls.filter(({ ok }) => !ok);
    console.log(`${language.name}, ${sdk.name}: ${calls.length} calls, ${failed.length} failed, ${seconds(startedAt)}`);
    for (const { call, said: words } of isControl ? [] : failed) console.log(`  ${call}: ${words}`);
    return { language: language.name, sdk: sdk.name, vendor: sdk.vendor, calls };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** An installation that fails ends it all; a script has told its calls as far as it came. */
async function execute(
  { command, arguments: words, environment = {} }: Command,
  timeout: number,
  more: Record<string, string> | null = null,
): Promise<{ said: string; trouble: string | null }> {
  const options = { timeout, env: { ...process.env, ...environment, ...more }, maxBuffer: 2 ** 26 };
  try {
    const { stdout } = await run(command, words, options);
    return { said: stdout, trouble: null };
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout: string; stderr: string; message: string };
    if (more === null) throw new Error(`${command} ${words.join(' ')}\n${stderr}`, { cause: error });
    return { said: stdout, trouble: (stderr || message).slice(-600) };
  }
}

function callsIn(text: string): Call[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{"call"') || line.startsWith('{"said"') || line.startsWith('{"ok"'))
    .map((line) => JSON.parse(line) as Call);
}

function seconds(since: number): string {
  return `${Math.round((performance.now() - since) / 1_000)} s`;
}

const startedAt = performance.now();
const results: Result[] = [];
for (const language of chosen()) results.push(...(await runLanguage(language)));
const isRight = ({ calls }: Result) => calls.length > 0 && calls.every(({ ok }) => ok) !== isControl;
const wrong = results.filter((one) => !isRight(one));
console.log(`\n${matrixOf(results)}\n${results.length} SDKs, ${wrong.length} of them wrong, ${seconds(startedAt)}`);
if (isControl) for (const { sdk } of wrong) console.log(`${sdk} has not noticed that answers were spoiled`);
if (values.write) writeFileSync(document, documentOf(results));
process.exit(wrong.length === 0 && results.length > 0 ? 0 : 1);
