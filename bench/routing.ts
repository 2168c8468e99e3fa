/** Lines relay-one, relays-two and routes-100: what a RELAYS_FILE costs, against the same program with RELAY_URL. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plan } from './accepting.ts';
import { compareMails, startDelivering } from './delivering.ts';
import type { Summary } from './rounds.ts';

/** Of each relay, as many as the baseline has: while the first one can be reached and has room, every mail is its own. */
const connections = 10;

/** Noise aside, a route costs nothing. */
const aim = 0.95;

export const compareOneRelay = (plan: Plan) => compareRouted(plan, 'one relay in a file', { relays: 1, routes: 0 });
export const compareTwoRelays = (plan: Plan) => compareRouted(plan, 'two relays', { relays: 2, routes: 0 });
export const compareRoutes = (plan: Plan) => compareRouted(plan, 'a table of 100 routes', { relays: 2, routes: 100 });

type Shape = { relays: number; routes: number };

async function compareRouted(plan: Plan, what: string, shape: Shape): Promise<Summary> {
  const name = `routed-${shape.relays}-${shape.routes}`;
  const path = join(plan.folder, `${name}.toml`);
  const settings = (port: number) => {
    writeFileSync(path, fileOf(port, shape));
    return { RELAYS_FILE: path, RELAY_URL: '', RELAY_CONNECTIONS: '' };
  };
  const subject = await startDelivering(plan, name, { settings });
  const baseline = await startDelivering(plan, `${name}-plain`);
  const sides = { subject: subject.deliver, baseline: baseline.deliver };
  const summary = await compareMails(plan, { what: `${what} : one relay without routes`, aim, ...sides });
  await subject.stop();
  await baseline.stop();
  return summary;
}

/** The last route fits every mail, so that all others are looked at before; both relays are the same sink. */
function fileOf(port: number, { relays, routes }: Shape): string {
  const names = Array.from({ length: relays }, (_, index) => `relay-${index}`);
  const tables = names.map(
    (name) => `[[relay]]\nname = "${name}"\nurl = "smtp://127.0.0.1:${port}"\nconnections = ${connections}\n`,
  );
  const others = Array.from({ length: Math.max(0, routes - 1) }, (_, index) => `from = "*.shop${index}.example"\n`);
  const all = routes === 0 ? [] : [...others, ''];
  const list = names.map((name) => `"${name}"`).join(', ');
  return [...tables, ...all.map((from) => `[[route]]\n${from}relays = [${list}]\n`)].join('');
}
