/** What another user of the machine can open of an installation: nothing. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { doctor } from '../src/command/doctor.ts';
import { examineConfig } from '../src/config/config.ts';
import { startProgram } from './lab/program.ts';
import { asNobody, nobody, onlyAsRoot } from './support/nobody.ts';
import { printed } from './support/printed.ts';
import { run } from './support/program.ts';
import { startTestServer } from './support/server.ts';
import { createTemp } from './support/temp.ts';

type Place = { folder: string; env: Record<string, string> };

/** A folder everybody can enter, and in it one that does not exist yet. */
function placeIn(t: TestContext, name = 'data'): Place {
  const temp = createTemp();
  t.after(() => temp.remove());
  chmodSync(temp.path('.'), 0o755);
  const folder = temp.path(name);
  return {
    folder,
    env: { PATH: process.env.PATH ?? '', PORT: '0', DATABASE_URL: `sqlite:${join(folder, 'mail.db')}` },
  };
}

/** Serves until `work` is done, and tells what was logged. */
async function served(place: Place, work: () => void | Promise<void> = () => {}): Promise<string> {
  const { DATABASE_URL: databaseUrl = '' } = place.env;
  const program = startProgram({ databaseUrl, relayUrl: 'capture:', environment: { SECRET_KEY: '' } });
  try {
    assert.ok(await program.listening, program.words());
    await work();
  } finally {
    program.signal('SIGTERM');
    await program.ended;
  }
  return program.words();
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

/** Files of the folder and their modes; each begins with the database's name, or is a witness. */
function modesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder);
  return Object.fromEntries(names.map((name) => [name.replace(/-[\w-]{36}\./, '-….'), modeOf(join(folder, name))]));
}

const servedFiles = [
  'mail.db',
  'mail.db-shm',
  'mail.db-wal',
  'mail.db.lock',
  'sendonce-….witness',
  'sendonce-secret.key',
];

/** What `sendonce doctor` says, and how it ends. */
async function diagnose(env: Record<string, string>): Promise<{ code: number; out: string }> {
  const out = await printed(() => doctor(examineConfig(env)));
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { code, out };
}

/** The files another user could open, to read or to write. */
function openTo(folder: string): string[] {
  return readdirSync(folder).filter((name) => ['r', 'r+'].some((flags) => opens(join(folder, name), flags)));
}

function opens(path: string, flags: string): boolean {
  try {
    closeSync(openSync(path, flags));
    return true;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EACCES');
    return false;
  }
}

describe('the files of an installation', () => {
  it('are for the user of the server alone, whatever the umask it was started with', async (t) => {
    const place = placeIn(t);
    const { folder } = place;
    await served(place, () => {
      assert.equal(modeOf(folder), '700');
      const modes = modesIn(folder);
      for (const name of servedFiles) assert.equal(modes[name], '600', name);
      assert.deepEqual([...new Set(Object.values(modes))], ['600']);
    });
  });

  it(
    'cannot be opened by another user, nor can the lock be held, even where the folder can be entered',
    onlyAsRoot,
    async (t) => {
      const place = placeIn(t);
      const { folder } = place;
      await served(place, () => {
        assert.throws(() => asNobody(() => readdirSync(folder)), { code: 'EACCES' });
        chmodSync(folder, 0o755);
        assert.deepEqual(
          asNobody(() => openTo(folder)),
          [],
        );
      });
      // What would keep the next start from serving: a lock on the lock file.
      assert.equal(
        asNobody(() => opens(join(folder, 'mail.db.lock'), 'r')),
        false,
      );
    },
  );

  it('could be opened by another user without the umask of the program: the control', onlyAsRoot, async (t) => {
    const { folder, env } = placeIn(t);
    const { DATABASE_URL = '' } = env;
    const server = await startTestServer({ environment: { DATABASE_URL, STATE_DIR: folder, SECRET_KEY: '' } });
    t.after(() => server.stop());
    chmodSync(folder, 0o755);
    const names = asNobody(() => openTo(folder)).map((name) => name.replace(/-[\w-]{36}\./, '-….'));
    // The secret key is made for its user whatever the umask.
    for (const name of servedFiles) assert.equal(names.includes(name), !name.endsWith('.key'), name);
  });

  it('of an older installation are closed at the start, which the log says once', async (t) => {
    const place = placeIn(t);
    const { folder } = place;
    await served(place);
    const files = readdirSync(folder).map((name) => join(folder, name));
    for (const file of files) chmodSync(file, 0o644);
    chmodSync(folder, 0o755);
    const before = await diagnose(place.env);
    assert.equal(before.code, 1);
    for (const path of [folder, ...files])
      assert.match(before.out, new RegExp(`^FAIL +${path} is open to other users`, 'm'));
    const words = await served(place, () => {
      assert.equal(modeOf(folder), '700');
      for (const file of files) assert.equal(modeOf(file), '600');
    });
    assert.match(words, /other users of this machine could open these until now/);
    const after = await diagnose(place.env);
    assert.deepEqual([after.code, after.out.match(/^(?:FAIL|note).*/gm)?.length], [0, 1], after.out);
    assert.match(after.out, /^note +no relay: mail is captured/m);
    assert.doesNotMatch(await served(place), /other users/);
  });

  it('are closed in a folder that others use, too, and the folder stays as it is', async (t) => {
    for (const kind of ['with a file of somebody', 'like /tmp']) {
      const place = placeIn(t);
      const { folder } = place;
      mkdirSync(folder);
      if (kind === 'like /tmp') chmodSync(folder, 0o1777);
      else {
        chmodSync(folder, 0o755);
        writeFileSync(join(folder, 'other.txt'), '', { mode: 0o644 });
      }
      const before = modeOf(folder);
      await served(place, () => {
        assert.equal(modeOf(folder), before, kind);
        const { 'other.txt': other, ...ours } = modesIn(folder);
        assert.deepEqual([other, ...new Set(Object.values(ours))].filter(Boolean), other ? ['644', '600'] : ['600']);
      });
      const { code, out } = await diagnose(place.env);
      assert.equal(code, 0, out);
      assert.match(
        out,
        new RegExp(`^note +${folder} \\(mode ${before.padStart(4, '0')}\\) is not for Sendonce alone`, 'm'),
      );
    }
  });

  it('are not safe where others may replace them, which doctor says', async (t) => {
    const { folder, env } = placeIn(t);
    mkdirSync(folder);
    writeFileSync(join(folder, 'other.txt'), '');
    chmodSync(folder, 0o777);
    const { code, out } = await diagnose(env);
    assert.equal(code, 1);
    assert.match(out, /^FAIL .*others could replace the files in it/m);
  });
});

describe('a folder that cannot be used', () => {
  it('is named with the setting, what is wrong with it, and what to do', async (t) => {
    const { folder, env } = placeIn(t);
    mkdirSync(folder);
    writeFileSync(join(folder, 'a-file'), '');
    const state = await run({ ...env, STATE_DIR: join(folder, 'a-file/state') });
    assert.deepEqual([state.code, state.out], [1, '']);
    assert.match(
      state.err,
      /^sendonce: STATE_DIR is .*a part of its path is a file, not a folder \(ENOTDIR\)\. It must be a folder/,
    );
    const database = await run({ ...env, DATABASE_URL: `sqlite:${join(folder, 'a-file/mail.db')}`, STATE_DIR: folder });
    assert.match(database.err, /mail\.db\.lock cannot be made or opened: .*DATABASE_URL must name a path in a folder/);
    assert.equal(modeOf(dirname(folder)), '755');
  });

  it('is told from one that another process serves: a lock that may only be read is none', onlyAsRoot, (t) => {
    const { folder, env } = placeIn(t);
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'mail.db.lock'), '', { mode: 0o644 });
    const lock = new URL('../src/store/engine/sqlite/lock.js', import.meta.url).href;
    const path = String(env.DATABASE_URL).slice('sqlite:'.length);
    const script = `import(${JSON.stringify(lock)}).then((one) => one.acquireServingLock(${JSON.stringify(path)}, 0))`;
    const { status, error, stderr } = spawnSync(process.execPath, ['-e', script], { uid: nobody, gid: nobody });
    if (error || /Cannot find (module|package)/.test(String(stderr)))
      return t.skip('another user cannot run this build');
    assert.equal(status, 1);
    assert.match(String(stderr), /mail\.db\.lock cannot be made or opened: EACCES/);
  });
});
