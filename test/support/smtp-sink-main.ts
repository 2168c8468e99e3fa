/**
 * The sink as a process of its own, so that its count survives a kill -9 of the server under test.
 *
 * `node smtp-sink-main.js [--port N] [--mode NAME] [--keep]` prints `{"port":N}`. It then takes commands, one a line on
 * stdin or as IPC messages, and answers each with one line of JSON, or one IPC message: `counts`, `copies <id>`,
 * `duplicates`, `wait <count>`, `received` (with --keep), `mode <name>` (a key of `modes`), `quit`. It ends with its parent.
 */

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Sink, startSink } from './smtp-sink.ts';
import { type Mode, modes } from './smtp-sink-modes.ts';

const { values } = parseArgs({
  options: { port: { type: 'string' }, mode: { type: 'string' }, keep: { type: 'boolean' } },
});
const mode = modeNamed(values.mode ?? 'accept');
const sink = await startSink({ port: Number(values.port ?? 0), behave: () => mode, keepBytes: values.keep ?? false });
process.stdout.write(`${JSON.stringify({ port: sink.port })}\n`);
process.send?.({ port: sink.port });
process.on('disconnect', () => process.exit(0));
process.on('message', async (line: string) => process.send?.(await answer(line)));

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => process.stdout.write(`${JSON.stringify(await answer(line))}\n`));
// A parent that talks over IPC may leave stdin closed from the start.
input.on('close', () => {
  if (!process.connected) process.exit(0);
});

async function answer(line: string): Promise<unknown> {
  const [command, argument = ''] = line.trim().split(' ');
  switch (command) {
    case 'counts':
      return counts(sink);
    case 'copies':
      return { copies: sink.copies(argument) };
    case 'duplicates':
      return { duplicates: sink.duplicates() };
    case 'wait':
      await sink.waitFor(Number(argument));
      return counts(sink);
    case 'received':
      return { received: sink.received.map((mail) => ({ ...mail, bytes: mail.bytes.toString('latin1') })) };
    case 'mode': {
      const next = modeNamed(argument);
      sink.behave = () => next;
      return { mode: argument };
    }
    case 'quit':
      await sink.close();
      return process.exit(0);
    default:
      return { error: 'counts, copies, duplicates, wait, received, mode or quit' };
  }
}

function counts(sink: Sink) {
  return { count: sink.count, dots: sink.dots, connections: sink.connections, duplicates: sink.duplicates().length };
}

function modeNamed(name: string): Mode {
  const found = Object.entries(modes).find(([key]) => key === name);
  if (!found) throw new Error(`no mode ${name}: ${Object.keys(modes).join(', ')}`);
  return found[1];
}
