/** Reads `DATABASE_URL`: which engine, and where. */

export type DatabaseSetting =
  | { engine: 'sqlite'; path: string }
  /** `listenUrl`: for wake-ups, where `url` leads through a pooler; null: the same. */
  | { engine: 'postgres'; url: string; listenUrl: string | null };

/** What `parseDatabaseUrl` takes, in words. */
export const databaseUrls = 'sqlite: and a path (sqlite:./data/sendonce.db) or postgres://user:password@host/database';

/** Null where it is neither. */
export function parseDatabaseUrl(text: string): DatabaseSetting | null {
  if (/^sqlite:./.test(text)) return { engine: 'sqlite', path: text.replace(/^sqlite:(\/\/(?=\/))?/, '') };
  if (/^postgres(ql)?:\/\/./.test(text)) return { engine: 'postgres', url: text, listenUrl: null };
  return null;
}

/** What node-postgres knows; anything else it would take for verify-full. */
const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/** What is wrong with a URL of PostgreSQL, to be read after its setting's name; null: nothing. */
export function problemOfPostgresUrl(text: string): string | null {
  // A host that is left out, beside a user: a socket, which `host=` names.
  const readable = [text, text.replace('@/', '@localhost/')].find((one) => URL.canParse(one));
  if (readable === undefined) {
    return 'cannot be read as a URL: special characters in a password must be percent-encoded (/ is %2F, # is %23, ? is %3F).';
  }
  const mode = new URL(readable).searchParams.get('sslmode');
  if (mode === null || sslModes.includes(mode)) return null;
  return `has an unknown sslmode "${mode}": it must be ${sslModes.join(', ')}.`;
}
