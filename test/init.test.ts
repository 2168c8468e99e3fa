/** `sendonce init` and `--env-file`: settings in a file that only its user can read, and a relay that was asked before it is written. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { readEnvFile, writeEnvLine } from '../src/command/env-file.ts';
import { program, run } from './support/program.ts';
import { startSink } from './support/smtp-sink.ts';
import { createTemp } from './support/temp.ts';

const env = { PATH: process.env.PATH ?? '' };

async function answer(file: string, answers: string[]): Promise<{ code: number; said: string; err: string }> {
  const child = spawn(process.execPath, [program, 'init', file], { env });
  const told = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.end(answers.map((one) => `${one}\n`).join(''));
  const [code] = await once(child, 'exit');
  const [said, err] = await told;
  return { code, said, err };
}

function fileFor(t: TestContext): string {
  const temp = createTemp();
  t.after(() => temp.remove());
  return temp.path('my.env');
}

describe('sendonce init', () => {
  it('tests the relay, asks again where it takes nothing, and writes a file that doctor can use', async (t) => {
    const sink = await startSink({ auth: { user: 'me@acme', pass: 'a:b/c#d' } });
    t.after(() => sink.close());
    const file = fileFor(t);
    const relay = `smtp://me%40acme:a%3Ab%2Fc%23d@127.0.0.1:${sink.port}?starttls=never`;
    const folder = `${file}.data`;
    const wrong = ['127.0.0.1', String(sink.port), 'me@acme', 'wrong', 'n'];
    const right = [relay];
    const rest = ['https://mail.example.com', '', '0', folder, 'nobody', 'ops@acme.test'];
    const { code, said, err } = await answer(file, [...wrong, ...right, ...rest]);
    assert.equal(code, 0, err);
    assert.match(said, /FAIL relay 127\.0\.0\.1:\d+: it (refuses the login|takes no login|offers no TLS)/);
    assert.match(said, /ok {3}relay 127\.0\.0\.1:\d+ answers, .*me@acme is logged in/);
    assert.match(said, /That is no email address\./);
    assert.doesNotMatch(said, /wrong|a:b/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.deepEqual(lines, [
      `RELAY_URL=${relay}`,
      'PUBLIC_URL=https://mail.example.com',
      'TRUSTED_PROXIES=127.0.0.1',
      'PORT=0',
      `DATABASE_URL=sqlite:${folder}/sendonce.db`,
      `STATE_DIR=${folder}`,
      'ALERT_EMAIL=ops@acme.test',
    ]);
    assert.equal(sink.count, 0, 'nothing was sent');
    const doctor = await run(env, 'doctor', '--env-file', file);
    assert.match(doctor.out, /^ok +relay .* is logged in$/m, doctor.err);
    assert.match((await answer(file, [])).err, /is there already: name another file, or add --force/);
  });

  it('writes nothing where its answers end too early', async (t) => {
    const file = fileFor(t);
    const { code, err } = await answer(file, ['']);
    assert.deepEqual([code, existsSync(file)], [1, false]);
    assert.match(err, /nothing was written/);
  });
});

describe('--env-file', () => {
  it('is under the environment and the flags, warns of who may read it, and of names that are none', async (t) => {
    const file = fileFor(t);
    writeFileSync(file, '# mine\nPORT=99999\nRELAY_URl=smtp://relay.example\n', { mode: 0o644 });
    chmodSync(file, 0o644);
    const alone = await run(env, 'key', '--env-file', file);
    assert.match(alone.err, /other users of this machine may read .*my\.env: chmod 600/);
    assert.match(alone.err, /RELAY_URl is set and is no setting of Sendonce: RELAY_URL is probably meant/);
    assert.match(alone.err, /PORT must be a whole number from 0 to 65535, not "99999"/);
    const [over, missing, typo] = await Promise.all([
      run({ ...env, PORT: '88888' }, 'key', '--env-file', file),
      run(env, 'key', '--env-file', `${file}.none`),
      run(env, 'sevre'),
    ]);
    assert.match(over.err, /not "88888"/);
    // Node 20 looks for this flag behind the script, too, and ends with 9 by itself.
    assert.ok(missing.code === 1 || missing.code === 9);
    assert.match(missing.err, /my\.env\.none(?: cannot be read: ENOENT|: not found)/);
    assert.match(typo.err, /There is no command "sevre": did you mean serve\?\n$/);
    assert.deepEqual([alone.code, typo.code], [1, 2]);
  });

  it('reads what was written', (t) => {
    const file = fileFor(t);
    const values = {
      A: 'smtp://me%40a:b%27c@host:587?starttls=never',
      B: 'two words',
      C: 'Ann <ann@acme.test>, x@y.z',
    };
    writeFileSync(
      file,
      Object.entries(values)
        .map(([name, value]) => writeEnvLine(name, value))
        .join('\n'),
      { mode: 0o600 },
    );
    assert.deepEqual(readEnvFile(file), { values, warning: null });
  });
});
