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
  readonly #name = randomUUID();
  #sequence = 0;
  #registered = false;

  /** The row has to be there before the first transaction locks it. False: the schema is not there yet. */
  async register(connection: Connection, now: number): Promise<boolean> {
    if (this.#registered) return true;
    try {
      await connection.query('delete from commits where at < ?', [now - forgottenAfterMs]);
      await connection.query('insert into commits (writer, sequence, at) values (?, 0, ?)', [this.#name, now]);
      this.#registered = true;
      return true;
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === undefinedTable) return false;
      throw error;
    }
  }

  /** To be sent first in each transaction. */
  async mark(connection: Connection, now: number): Promise<void> {
    if (!this.#registered) return;
    this.#sequence += 1;
    const { count } = await connection.query('update commits set sequence = ?, at = ? where writer = ?', [
      this.#sequence,
      now,
      this.#name,
    ]);
    if (count === 1) return;
    this.#registered = false;
    throw new Error('the row this connection marks its commits in is gone');
  }

  async remove(connection: Connection): Promise<void> {
    if (this.#registered) await connection.query('delete from commits where writer = ?', [this.#name]);
  }

  /**
   * What became of the last marked transaction, whose connection is gone: true, committed; false, undone; null, nobody knows.
   * The transaction holds its row locked until it has ended, so that the row can be read only once its fate is settled.
   */
  async findOut(url: string, withinMs: number): Promise<boolean | null> {
    if (!this.#registered) return null;
    const giveUpAt = performance.now() + withinMs;
    do {
      try {
        return await this.#look(url);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } while (performance.now() < giveUpAt);
    return null;
  }

  async #look(url: string): Promise<boolean> {
    const connection = await Connection.open({ url, name: 'sendonce asks', silenceMs: 2 * lookMs });
    try {
      const begun = connection.query(`begin; set local lock_timeout = ${lookMs}`);
      const looked = connection.query<{ sequence: number }>(
        'select sequence from commits where writer = ? for update',
        [this.#name],
      );
      const ended = connection.query('rollback');
      const [, { rows }] = await Promise.all([begun, looked, ended]);
      return rows[0]?.sequence === this.#sequence;
    } finally {
      connection.destroy();
    }
  }
}

const undefinedTable = '42P01';
