/** What a PostgreSQL server says of itself: whether a commit on it keeps our promise, and which history it goes on with. */

export type ServerFacts = {
  pid: number;
  /** Epoch milliseconds, by its clock. */
  at: number;
  /** When the process that answers began: numbers of processes come again. */
  began: string | null;
  recovering: string;
  fsync: string | null;
  synchronous_commit: string | null;
  standbys: string | null;
  /** When the server was started; null where it does not say. */
  up_since: string | null;
  /** Grows at each promotion, hexadecimal with leading zeros; null on servers that know no such thing. */
  timeline: string | null;
  /** Which cluster it is of: all that have followed one another have one number. Null where the server does not say. */
  system: string | null;
};

const facts = `select pg_backend_pid() as pid, floor(extract(epoch from clock_timestamp()) * 1000)::numeric as at, pg_is_in_recovery()::text as recovering,
  current_setting('fsync', true) as fsync, current_setting('synchronous_commit', true) as synchronous_commit,
  current_setting('synchronous_standby_names', true) as standbys`;

export const upSince = 'select pg_postmaster_start_time()::text as up_since';

/** Names of the log's files begin with the timeline. A replica has no such name. */
export const serverFacts = `${facts}, pg_postmaster_start_time()::text as up_since,
  (select backend_start::text from pg_stat_activity where pid = pg_backend_pid()) as began,
  case when pg_is_in_recovery() then null
    else substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) end as timeline,
  (select system_identifier::text from pg_control_system()) as system`;

/** For servers that speak the protocol and have no such functions, or do not let us ask. */
export const plainFacts = `${facts}, null as up_since, null as began, null as timeline, null as system`;

/** Whether a commit there waits for a standby before it is answered. */
export function isSynchronous({ standbys, synchronous_commit: commits }: ServerFacts): boolean {
  return Boolean(standbys) && commits !== 'off' && commits !== 'local';
}

/** Refuses a server on which a commit promises nothing, or whose rows may be old. @throws ServerRefused */
export function refuseUnfit(server: ServerFacts, isNew: boolean): void {
  if (server.recovering === 'true') {
    throw new ServerRefused('it is a replica: keys must be read where they are written');
  }
  if (server.fsync === 'off') {
    throw new ServerRefused('fsync is off: an acknowledged mail would not survive a power cut');
  }
  // Later on, transactions that write see to it themselves.
  if (isNew && server.synchronous_commit === 'off') {
    throw new ServerRefused('synchronous_commit is off: an acknowledged mail would not survive a crash');
  }
}

/** The server works, but not so that our promise could be kept on it. */
export class ServerRefused extends Error {
  override readonly name = 'ServerRefused';

  constructor(why: string) {
    super(`${why}.`);
  }
}
