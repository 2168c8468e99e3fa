/** No test of a server or a store is left out on PostgreSQL by being forgotten. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ownEngines, shares, sqliteOnly, storeTests, testsOf } from './both.ts';

const names = Object.keys(shares) as (keyof typeof shares)[];
const isIn = (name: string, places: string[]) => places.some((place) => name.startsWith(place));

describe('every test file that reaches a store', () => {
  const all = storeTests();

  it('runs on PostgreSQL once, or says why it does not', () => {
    const places = [
      ...names.map(testsOf),
      all.filter((name) => isIn(name, [...Object.keys(sqliteOnly), ...ownEngines])),
    ];
    for (const name of all) {
      assert.equal(places.filter((tests) => tests.includes(name)).length, 1, `${name} in test/postgres/both.ts`);
    }
  });

  it('is found, however far away the store is', () => {
    for (const name of ['resend/wire.test.ts', 'command.test.ts', 'lab/crash.test.ts', 'webhook/telling.test.ts']) {
      assert.ok(all.includes(name), name);
    }
    for (const name of ['core/address.test.ts', 'resend/parse.test.ts', 'deliver/smtp.test.ts', 'worker.test.ts']) {
      assert.ok(!all.includes(name), name);
    }
  });

  it('that is left out or chooses for itself is there', () => {
    for (const place of [...Object.keys(sqliteOnly), ...ownEngines])
      assert.ok(
        all.some((name) => isIn(name, [place])),
        place,
      );
  });

  for (const name of names) {
    it(`of ${name} has a file here that runs it`, () => {
      assert.ok(testsOf(name).length > 0);
      const path = fileURLToPath(new URL(`../../../test/postgres/${name}.test.ts`, import.meta.url));
      assert.ok(existsSync(path) && readFileSync(path, 'utf8').includes(`await runOnPostgres('${name}');`));
    });
  }
});
