/** `npm run release` makes nothing unless version, tag and changelog agree. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createTemp } from './support/temp.ts';

const script = fileURLToPath(new URL('../../scripts/release.js', import.meta.url));

it('a release is refused whose version, tag and changelog do not agree', (t) => {
  const temp = createTemp();
  t.after(() => temp.remove());
  const attempt = (changelog: string, tag: string) => {
    writeFileSync(temp.path('package.json'), '{"name":"sendonce","version":"1.2.3"}');
    writeFileSync(temp.path('CHANGELOG.md'), changelog);
    return spawnSync(process.execPath, [script, '--tag', tag], { cwd: temp.path('.'), encoding: 'utf8' });
  };
  const unnamed = attempt('# Changelog\n\n## [Unreleased]\n\n- more\n', 'v1.2.3');
  assert.equal(unnamed.status, 1);
  assert.match(unnamed.stderr, /CHANGELOG\.md has no heading \[1\.2\.3\]/);
  const other = attempt('# Changelog\n\n## [1.2.3] - 2026-12-01\n\n- more\n', 'v1.2.4');
  assert.equal(other.status, 1);
  assert.match(other.stderr, /the tag is v1\.2\.4, and package\.json says 1\.2\.3/);
  assert.equal(existsSync(temp.path('release')), false);
});
