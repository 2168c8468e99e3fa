/** A life of one process on SQLite under load: started, killed, stopped, paused, drained, and then examined. */

import assert from 'node:assert/strict';
import { createTemp, type Temp } from '../support/temp.ts';
import { deliveriesIn, sqliteBooks } from './books.ts';
import { labSpeed } from './lab-server.ts';
import { type Ended, type Program, startProgram } from './program.ts';
import { type LifeOptions, type Surroundings, skippedMs, surround, World } from './world.ts';

export class Life extends World {
  readonly databasePath: string;
  readonly #temp: Temp;
  readonly #command: string[] | undefined;
  #program: Program | null = null;
  #url: string | null = null;

  static async start(options: LifeOptions): Promise<Life> {
    return new Life(options, await surround(options), createTemp());
  }

  private constructor(options: LifeOptions, surroundings: Surroundings, temp: Temp) {
    const databasePath = temp.path('lab.db');
    super(options, surroundings, sqliteBooks(databasePath));
    this.databasePath = databasePath;
    this.#temp = temp;
    this.#command = options.command;
  }

  protected target(): string | null {
    return this.#url;
  }

  /** Without waiting until it listens. */
  spawn(): Program {
    this.#program = startProgram(this.setting, this.#command);
    return this.#program;
  }

  /** Resolves when it listens. */
  async up(): Promise<Program> {
    const program = this.spawn();
    this.#url = await program.listening;
    assert(this.#url, `the program starts:\n${program.words()}`);
    return program;
  }

  /** kill -9; notes what was handed off at that moment and had no verdict. */
  async kill(program: Program): Promise<void> {
    program.signal('SIGKILL');
    await this.#gone(program);
    if (!(await this.books.hasSchema())) return;
    for (const email of await deliveriesIn(this.books, 'handoff')) this.interrupted.add(email);
  }

  /** SIGTERM; resolves with how it ended. */
  async terminate(program: Program): Promise<Ended> {
    program.signal('SIGTERM');
    return this.#gone(program);
  }

  /** The next program waits for the lock while this one stops. Resolves when the next one listens. */
  async handOver(program: Program): Promise<{ next: Program; ended: Ended }> {
    const next = startProgram(this.setting, this.#command);
    program.signal('SIGTERM');
    const ended = await program.ended;
    this.#program = next;
    this.#url = await next.listening;
    assert(this.#url, `the next program starts:\n${next.words()}`);
    return { next, ended };
  }

  protected override async skipAhead(): Promise<void> {
    const { speed } = this.clock;
    if (speed === 1 || speed >= labSpeed || !this.#program) return;
    await this.terminate(this.#program);
    this.skip(skippedMs);
    await this.up();
  }

  async #gone(program: Program): Promise<Ended> {
    const ended = await program.ended;
    this.#url = null;
    this.#program = null;
    return ended;
  }

  async destroy(): Promise<void> {
    this.load.abandon();
    const program = this.#program;
    if (program) {
      program.signal('SIGKILL');
      await program.ended;
    }
    await this.close();
    this.#temp.remove();
  }
}
