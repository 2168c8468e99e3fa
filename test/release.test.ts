/** What scripts refuse: a release whose version, tag and changelog do not agree, and a start without anything to start. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTemp } from './support/temp.ts';

const scriptOf = (name: string) => fileURLToPath(new URL(`../../scripts/${name}.js`, import.meta.url));

it('a release is refused whose version, tag and changelog do not agree', (t) => {
  const temp = createTemp();
  t.after(() => temp.remove());
  const attempt = (changelog: string, tag: string) => {
    writeFileSync(temp.path('package.json'), '{"name":"sendonce","version":"1.2.3"}');
    writeFileSync(temp.path('CHANGELOG.md'), changelog);
    return spawnSync(process.execPath, [scriptOf('release'), '--tag', tag], { cwd: temp.path('.'), encoding: 'utf8' });
  };
  const unnamed = attempt('# Changelog\n\n## [Unreleased]\n\n- more\n', 'v1.2.3');
  assert.equal(unnamed.status, 1);
  assert.match(unnamed.stderr, /CHANGELOG\.md has no heading \[1\.2\.3\]/);
  const other = attempt('# Changelog\n\n## [1.2.3] - 2026-12-01\n\n- more\n', 'v1.2.4');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /the tag is v1\.2\.4, and package\.json says 1\.2\.3/);
  assert.equal(existsSync(temp.path('release')), false);
});

it('npm start without the compiler starts what was built, and says what to do where nothing was', (t) => {
  const temp = createTemp();
  t.after(() => temp.remove());
  const before = () =>
    spawnSync(process.execPath, [scriptOf('before-start')], { cwd: temp.path('.'), encoding: 'utf8' });
  const unbuilt = before();
  assert.equal(unbuilt.status, 1);
  assert.match(unbuilt.stderr, /^Nothing is built yet.*Run `npm ci`.*\n.*docs\/deploy\.md/);
  mkdirSync(temp.path('dist'));
  writeFileSync(temp.path('dist/main.js'), '');
  assert.deepEqual([before().status, before().stderr], [0, '']);
});
