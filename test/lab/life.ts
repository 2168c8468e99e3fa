/** A life of one process on SQLite under load: started, killed, stopped, paused, drained, and then examined. */

import assert from 'node:assert/strict';
import { createTemp, type Temp } from '../support/temp.ts';
import { deliveriesIn, sqliteBooks } from './books.ts';
import { labSpeed } from './lab-server.ts';
import { type Ended, type Program, startProgram } from './program.ts';
import { type LifeOptions, type Surroundings, surround, World } from './world.ts';

export class Life extends World {
  readonly databasePath: string;
  readonly #temp: Temp;
  /** Undefined: the real program. */
  command: string[] | undefined;
  #program: Program | null = null;
  #url: string | null = null;

  static async start(options: LifeOptions): Promise<Life> {
    return new Life(options, await surround(options), createTemp());
  }

  protected constructor(options: LifeOptions, surroundings: Surroundings, temp: Temp) {
    const databasePath = options.folder ? `${options.folder}/lab.db` : temp.path('lab.db');
    super(options, surroundings, sqliteBooks(databasePath));
    this.databasePath = databasePath;
    this.#temp = temp;
    this.command = options.command;
  }

  protected target(): string | null {
    return this.#url;
  }

  get url(): string {
    assert(this.#url, 'the server is up');
    return this.#url;
  }

  /** What runs, if anything does. */
  get program(): Program | null {
    return this.#program;
  }

  path(name: string): string {
    return this.#temp.path(name);
  }

  /** Without waiting until it listens. */
  spawn(): Program {
    const program = startProgram(this.setting, this.command);
    this.#program = program;
    void program.ended.then(() => {
      if (this.#program === program) this.#program = null;
    });
    return program;
  }

  /** Resolves when it listens. */
  async up(): Promise<Program> {
    const program = await this.tryUp();
    assert(program, 'the program starts');
    return program;
  }

  /** Null: it ended instead of listening. */
  async tryUp(): Promise<Program | null> {
    const program = this.spawn();
    this.#url = await program.listening;
    if (this.#url) return program;
    await program.ended;
    return null;
  }

  /** kill -9; notes what was handed off at that moment and had no verdict. */
  async kill(program: Program): Promise<void> {
    program.signal('SIGKILL');
    await this.#gone(program);
    await this.noteInterrupted();
  }

  /** Nobody may run. */
  protected async noteInterrupted(): Promise<void> {
    if (!(await this.books.hasSchema())) return;
    for (const email of await deliveriesIn(this.books, 'handoff')) this.interrupted.add(email);
    for (const email of await deliveriesIn(this.books, 'sending')) this.noteCutShort(email);
  }

  /** Kills what runs, if anything does. */
  async down(): Promise<void> {
    const program = this.#program;
    if (!program) return;
    program.signal('SIGKILL');
    await this.#gone(program);
  }

  /** SIGTERM; resolves with how it ended. */
  async terminate(program: Program): Promise<Ended> {
    program.signal('SIGTERM');
    return this.#gone(program);
  }

  /** The next program waits for the lock while this one stops. Resolves when the next one listens. */
  async handOver(program: Program): Promise<{ next: Program; ended: Ended }> {
    const next = this.spawn();
    program.signal('SIGTERM');
    const ended = await program.ended;
    this.#url = await next.listening;
    assert(this.#url, `the next program starts:\n${next.words()}`);
    return { next, ended };
  }

  protected override async skipAhead(): Promise<void> {
    const { speed } = this.clock;
    if (speed === 1 || speed >= labSpeed || !this.#program) return;
    await this.terminate(this.#program);
    await this.skip();
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
    await this.down();
    await this.close();
    this.#temp.remove();
  }
}
