/** What PostgreSQL's refusals mean for the work that met them: SQLSTATE codes, PostgreSQL's documentation, appendix A. */

import pg from 'pg';
import { AppError, Contended, cannotWrite } from '../../../core/error.ts';
import { ConnectionLost, NotWaitedFor } from './connection.ts';
import { ServerRefused } from './server-facts.ts';

/**
 * `contended`: somebody held a lock for too long. `again`: lost to another transaction, a second try may well win.
 * `unavailable`: the server or the way to it does not work. `wrong`: the statement itself was refused.
 */
export type Trouble = 'contended' | 'again' | 'unavailable' | 'wrong';

const lockNotAvailable = '55P03';
const lostToAnother = new Set(['40001', '40P01']);
/** Connections, logging in, resources (a full disk among them), operators (shutdown, crash, time-outs), the system, read-only servers. */
const unavailableClasses = /^(08|28|3D|53|57|58|XX|25006|25P0[34])/;

export function troubleOf(error: unknown): Trouble {
  if (error instanceof ConnectionLost || error instanceof NotWaitedFor) return 'unavailable';
  if (error instanceof ServerRefused) return 'unavailable';
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return 'wrong';
  if (error.code === lockNotAvailable) return 'contended';
  if (lostToAnother.has(error.code)) return 'again';
  return unavailableClasses.test(error.code) ? 'unavailable' : 'wrong';
}

/** What to tell whoever asked; the work itself was undone. */
export function refusalOf(error: unknown): unknown {
  switch (troubleOf(error)) {
    case 'contended':
      return new Contended(error);
    case 'again':
    case 'unavailable':
      return unavailable(error);
    case 'wrong':
      return error;
  }
}

export function unavailable(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  return cannotWrite(cause);
}
