/** Tells open pages that something happened, as server-sent events: one look at the database for all of them. */

import { AppError } from '../../core/error.ts';
import type { Reader } from '../../store/database.ts';
import { newestEmailId, newestEventId, newestEventIds, newestUses } from '../../store/page/live.ts';

export type Live = {
  /** Names what an account has by now: a page is told what came after it was read. */
  now(account: string): Promise<string>;
  /**
   * A stream that says `change` when the account has something that `since` does not name, and ends with the session.
   * @throws AppError `unavailable` where too many watch already.
   */
  open(watch: Watch): ReadableStream<Uint8Array>;
  /** Ends all streams. */
  stop(): void;
};

export type Watch = { account: string; since: string; isAllowed: () => Promise<boolean> };

/** As fast as a person sees; each look is a few reads of an index's end, and only while somebody watches. */
const lookEveryMs = 500;

/** A revoked key ends its streams within this; it also keeps proxies from closing a quiet connection. */
const checkEveryLooks = 6;

/** Streams at once: people with tabs, not programs. */
const watchersMax = 200;

type Newest = { event: number; email: string; uses: string };

type Watcher = Watch & Newest & { say: (text: string) => void; end: () => void };

export function createLive(reader: Reader): Live {
  const watchers = new Set<Watcher>();
  let timer: NodeJS.Timeout | null = null;
  let looks = 0;
  let isLooking = false;

  async function look(): Promise<void> {
    looks += 1;
    const events = await newestEventIds(reader, Math.min(...[...watchers].map((one) => one.event)));
    const others = new Map<string, Omit<Newest, 'event'>>();
    for (const { account } of watchers) {
      others.set(account, {
        email: await newestEmailId(reader, account),
        uses: await newestUses(reader, account),
      });
    }
    for (const watcher of watchers) {
      const { email, uses } = others.get(watcher.account) ?? watcher;
      tell(watcher, { event: events.get(watcher.account) ?? 0, email, uses });
      if (looks % checkEveryLooks === 0) await check(watcher);
    }
  }

  function tell(watcher: Watcher, { event, email, uses }: Newest): void {
    if (event <= watcher.event && email === watcher.email && uses === watcher.uses) return;
    watcher.event = Math.max(watcher.event, event);
    watcher.email = email;
    watcher.uses = uses;
    watcher.say('event: change\ndata: 1\n\n');
  }

  async function check(watcher: Watcher): Promise<void> {
    if (await watcher.isAllowed()) watcher.say(': here\n\n');
    else watcher.end();
  }

  function add(watcher: Watcher): void {
    watchers.add(watcher);
    timer ??= setInterval(() => {
      if (isLooking) return;
      isLooking = true;
      look()
        // A database that is away for a moment: the next look tells.
        .catch(() => {})
        .finally(() => {
          isLooking = false;
        });
    }, lookEveryMs).unref();
  }

  function remove(watcher: Watcher): void {
    watchers.delete(watcher);
    if (watchers.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    async now(account) {
      const [event, email] = [await newestEventId(reader), await newestEmailId(reader, account)];
      return `${event}.${email}.${await newestUses(reader, account)}`;
    },

    open(watch) {
      if (watchers.size >= watchersMax) throw new AppError('unavailable', 'Too many dashboard pages are open at once.');
      const [event = '0', email = '', uses = ''] = watch.since.split('.', 3);
      let watcher: Watcher | null = null;
      return new ReadableStream<Uint8Array>({
        start(controller) {
          const say = (text: string) => controller.enqueue(Buffer.from(text));
          const own: Watcher = {
            ...watch,
            event: Number(event) || 0,
            email,
            uses,
            say,
            end: () => {
              remove(own);
              controller.close();
            },
          };
          watcher = own;
          add(own);
          say('retry: 2000\nevent: hello\ndata: 1\n\n');
        },
        cancel() {
          if (watcher) remove(watcher);
        },
      });
    },

    stop() {
      for (const watcher of [...watchers]) watcher.end();
    },
  };
}
