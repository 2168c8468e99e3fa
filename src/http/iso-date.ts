/** Moments as ISO 8601 writes them, and everyday cousins of it. */

/** ISO 8601 and its everyday cousins: a space for the T, `+00` as Postgres writes it, `UTC` as Ruby does. */
const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?(Z|z|UTC|([+-])(\d{2}):?(\d{2})?)?)?$/;

/**
 * Epoch milliseconds; a moment without a zone is read as UTC. Null: not of this form. NaN: of this form, but no such moment.
 */
export function readIso(text: string): number | null {
  const match = iso.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as number[];
  const millis = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const utc = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second, millis);
  // Date.UTC rolls 30 February over into March and 25:00 into tomorrow: what does not come back as written was no date.
  const written = `${match[1]}-${match[2]}-${match[3]}T${match[4] ?? '00'}:${match[5] ?? '00'}:${match[6] ?? '00'}`;
  if (!Number.isFinite(utc) || new Date(utc).toISOString().slice(0, 19) !== written) return Number.NaN;
  return utc - offsetMs(match[9], match[10], match[11]);
}

function offsetMs(sign: string | undefined, hours: string | undefined, minutes: string | undefined): number {
  if (sign === undefined) return 0;
  if (Number(hours) > 23 || Number(minutes ?? 0) > 59) return Number.NaN;
  const offset = (Number(hours) * 60 + Number(minutes ?? 0)) * 60_000;
  return sign === '-' ? -offset : offset;
}
