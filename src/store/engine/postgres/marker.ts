/**
 * The number each transaction of a writing connection leaves in a row of that connection's own, and what it tells
 * when the answer to a COMMIT was lost. docs/decisions/0020-lost-commits.md says why not pg_xact_status.
 */

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { Connection } from './connection.ts';

/** One try at reading the row, which whoever still holds the transaction has locked. */
const lookMs = 2_000;

const pauseMs = 100;

/** Rows of connections that ended without saying goodbye; nobody asks for them after seconds. */
const forgottenAfterMs = 24 * 60 * 60_000;

export class Marker {
  readonly name = randomUUID();
  #sequence = 0;
  #registered = false;

  /** Of the last transaction that was marked. */
  get sequence(): number {
    return this.#sequence;
  }

  get isRegistered(): boolean {
    return this.#registered;
  }

  /** The row has to be there before the first transaction locks it. @throws pg.DatabaseError, `isWithoutSchema` above all. */
  async insert(connection: Connection, now: number): Promise<void> {
    await connection.query(
      'delete from commits where writer in (select writer from commits where at < ? for update skip locked)',
      [now - forgottenAfterMs],
    );
    await connection.query('insert into commits (writer, sequence, at) values (?, 0, ?)', [this.name, now]);
  }

  /** What `insert` wrote has committed. */
  registered(): void {
    this.#registered = true;
  }

  /** To be sent first in each transaction. */
  async mark(connection: Connection, now: number): Promise<void> {
    if (!this.#registered) return;
    this.#sequence += 1;
    const { count } = await connection.query('update commits set sequence = ?, at = ? where writer = ?', [
      this.#sequence,
      now,
      this.name,
    ]);
    if (count === 1) return;
    this.#registered = false;
    throw new Error('the row this connection marks its commits in is gone');
  }

  async remove(connection: Connection): Promise<void> {
    if (this.#registered) await connection.query('delete from commits where writer = ?', [this.name]);
  }

  /**
   * What became of the last marked transaction, whose connection is gone: true, committed; false, undone; null, nobody knows.
   * The transaction holds its row locked until it has ended, so that the row can be read only once its fate is settled.
   */
  async findOut(url: string, withinMs: number, trustsSight = false): Promise<boolean | null> {
    if (!this.#registered) return null;
    const giveUpAt = performance.now() + withinMs;
    do {
      try {
        return await this.#look(url, trustsSight);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } while (performance.now() < giveUpAt);
    return null;
  }

  /**
   * The look is itself a commit that waits (`Connection.commit`): what can be seen need not be replicated, but whatever this
   * transaction saw stands before it in the log.
   */
  async #look(url: string, trustsSight: boolean): Promise<boolean> {
    const connection = await Connection.open({ url, name: 'sendonce asks', silenceMs: 2 * lookMs });
    try {
      const begun = connection.query(`begin; set local lock_timeout = ${lookMs}; ${ownSettings}`);
      const looked = connection.query<{ sequence: number }>(
        'update commits set at = at where writer = ? returning sequence',
        [this.name],
      );
      const [, { rows }] = await Promise.all([begun, looked]);
      // Without a row the commit would have nothing to wait for; then nothing of ours has committed there, either.
      if (rows.length > 0 && !trustsSight && !(await connection.commit())) throw new Error('the look was undone');
      return rows[0]?.sequence === this.#sequence;
    } finally {
      connection.destroy();
    }
  }
}

/**
 * The transaction's own, whatever became of the settings since the start, or of another session's behind a pooler: a commit that
 * is answered is on a disk, and one that has not waited for its standbys says so.
 */
export const ownSettings = `select set_config(name, wanted, true)
  from (values ('synchronous_commit', 'on', 'off'), ('client_min_messages', 'warning', 'error')) as own (name, wanted, wrong)
  where current_setting(name) = wrong`;

/** The tables are not there yet. */
export function isWithoutSchema(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '42P01';
}
