/** An app with a table of its own and an outbox, to be killed: writes both in one transaction, and undoes some of them. Arguments: database URL, what orders begin with, first number, how many. */

import { openOutboxDatabase, run } from '../../src/client/outbox/engine.ts';
import { payloadFor } from './order.ts';

const [url = '', start = '', first = '0', count = '1'] = process.argv.slice(2);
const database = await openOutboxDatabase(url);

/** Every fifth order is called off, every third email has a place in a group. */
const isUndone = (number: number) => number % 5 === 4;
const groupOf = (number: number) => (number % 3 === 0 ? `group ${number % 2}` : null);

class CalledOff extends Error {}

async function write(number: number): Promise<void> {
  const id = `${start}${number}`;
  await database.transaction(function* () {
    yield* run('insert into orders (id) values (?)', id);
    yield* run(
      'insert into sendonce_outbox (id, payload, ordering) values (?, ?, ?)',
      id,
      payloadFor(id),
      groupOf(number),
    );
    if (isUndone(number)) throw new CalledOff();
  });
}

// Ends with the test that started it, whatever ends that.
process.stdin.on('close', () => process.exit());
console.log('ready');
await new Promise((resolve) => process.stdin.on('data', resolve));
for (let number = Number(first); number < Number(first) + Number(count); number++) {
  await write(number).catch((error: unknown) => {
    if (!(error instanceof CalledOff)) throw error;
  });
  await new Promise((resolve) => setTimeout(resolve, 4));
}
console.log('done');
process.exit();
