/** The thread that asks: it writes each request, and reads what the serving thread's processor time was before and after it. */

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { writeText, writeValue } from './shapes.ts';

/** Where in a request the shape is written; `each` of many items has so many characters. */
export type Place =
  | { in: 'json'; before: string; after: string }
  | { in: 'items'; before: string; after: string; itemBefore: string; itemAfter: string; each: number }
  | { in: 'parameter'; name: string }
  | { in: 'path' }
  | { in: 'form'; name: string; others: string }
  | { in: 'header'; name: string; body: string }
  | { in: 'nothing' };

export type Asked = { method: string; path: string; headers: Record<string, string>; place: Place };
export type Question = { id: number; asked: Asked; shape: string; size: number };
export type Answer = { id: number; cpuMs: number; wallMs: number; bytes: number; status: number; text: string };

const { port } = workerData as { port: number };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

parentPort?.on('message', async (question: Question) => {
  parentPort?.postMessage(await answer(question));
});

async function answer({ id, asked, shape, size }: Question): Promise<Answer> {
  const { path, headers, body } = write(asked, shape, size);
  const before = cpuMs();
  const started = performance.now();
  const { status, text } = await send(asked.method, path, headers, body);
  const wallMs = performance.now() - started;
  const bytes = Math.max(path.length + body.length, text.length, size);
  return { id, cpuMs: cpuMs() - before, wallMs, bytes, status, text: text.slice(0, 300) };
}

function write({ path, headers, place }: Asked, shape: string, size: number) {
  const none = Buffer.alloc(0);
  switch (place.in) {
    case 'json':
      return { path, headers, body: Buffer.from(place.before + writeValue(shape, size) + place.after) };
    case 'items': {
      const item = place.itemBefore + writeValue(shape, place.each) + place.itemAfter;
      const items = Array(Math.max(1, Math.floor(size / item.length))).fill(item);
      return { path, headers, body: Buffer.from(`${place.before}[${items.join(',')}]${place.after}`) };
    }
    case 'parameter': {
      const joint = path.includes('?') ? '&' : '?';
      return { path: `${path}${joint}${place.name}=${inUrl(shape, size)}`, headers, body: none };
    }
    case 'path':
      return { path: path.replace('@@', inUrl(shape, size)), headers, body: none };
    case 'form':
      return {
        path,
        headers,
        body: Buffer.from(`${place.others}&${place.name}=${encodeURIComponent(wellFormed(writeText(shape, size)))}`),
      };
    case 'header':
      return {
        path,
        headers: { ...headers, [place.name]: inHeader(shape, size) },
        body: Buffer.from(place.body),
      };
    case 'nothing':
      return { path, headers, body: none };
    default:
      return place satisfies never;
  }
}

function wellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}

function inUrl(shape: string, size: number): string {
  const text = encodeURIComponent(wellFormed(writeText(shape, size)));
  return text.slice(0, size).replace(/%.?$/, '') || 'x';
}

function inHeader(shape: string, size: number): string {
  return writeText(shape, size).replace(/[^\t -~]/g, '.');
}

function send(method: string, path: string, headers: Record<string, string>, body: Buffer) {
  return new Promise<{ status: number; text: string }>((resolve) => {
    const gone = () => resolve({ status: 0, text: 'the connection ended' });
    const asking = request({ agent, host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      response.on('error', gone);
    });
    asking.on('error', gone);
    asking.end(method === 'GET' ? undefined : body);
  });
}

/** Of the main thread, which serves; where the system does not tell, of the whole process. */
function cpuMs(): number {
  if (process.platform === 'linux') {
    const stat = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1');
    return Number(stat.split(' ', 1)[0]) / 1e6;
  }
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
