/** The `date` filter: Django's format letters (docs.djangoproject.com/en/stable/ref/templates/builtins/#date) on ISO dates. */

type Moment = {
  /** The date and time as written, whatever its zone, as if it were UTC. */
  wall: Date;
  /** Minutes east of UTC. */
  offset: number;
};

/** Long enough for a sentence around a date; each letter may become a word. */
const formatLengthMax = 200;

/**
 * A date as its author wrote it, in its own zone: `2024-05-01T10:00:00+02:00` is ten o'clock. Null for what is no date.
 * Numbers are seconds, or milliseconds where seconds would be beyond the year 5000.
 */
export function formatDate(value: unknown, format: string): string | null {
  const moment = typeof value === 'number' ? fromNumber(value) : fromText(value);
  if (moment === null) return null;
  return format
    .slice(0, formatLengthMax)
    .replace(/\\(.)|([A-Za-z])/gs, (_, literal: string | undefined, letter: string) => {
      if (literal !== undefined) return literal;
      return letters.get(letter)?.(moment) ?? letter;
    });
}

const isoPattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?\s?(?:(Z)|([+-])(\d{2}):?(\d{2}))?)?$/i;

function fromText(value: unknown): Moment | null {
  const parts = typeof value === 'string' ? isoPattern.exec(value.trim()) : null;
  if (!parts) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const wall = new Date(0);
  wall.setUTCFullYear(year, month - 1, day);
  wall.setUTCHours(hour, minute, second);
  const isReal =
    wall.getUTCMonth() === month - 1 && wall.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  const offset = (Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0)) * (parts[8] === '-' ? -1 : 1);
  return isReal ? { wall, offset } : null;
}

function fromNumber(value: number): Moment | null {
  const wall = new Date(Math.abs(value) < 1e11 ? value * 1000 : value);
  return Number.isNaN(wall.getTime()) ? null : { wall, offset: 0 };
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];
/** Associated Press style, for `N`. */
const apMonths = ['Jan.', 'Feb.', 'March', 'April', 'May', 'June', 'July', 'Aug.', 'Sept.', 'Oct.', 'Nov.', 'Dec.'];

const letters: ReadonlyMap<string, (moment: Moment) => string> = new Map<string, (moment: Moment) => string>([
  ['d', ({ wall }) => two(wall.getUTCDate())],
  ['j', ({ wall }) => String(wall.getUTCDate())],
  ['D', ({ wall }) => dayName(wall).slice(0, 3)],
  ['l', ({ wall }) => dayName(wall)],
  ['S', ({ wall }) => ordinalSuffix(wall.getUTCDate())],
  ['w', ({ wall }) => String(wall.getUTCDay())],
  ['z', ({ wall }) => String(dayOfYear(wall))],
  ['W', ({ wall }) => String(isoWeek(wall).week)],
  ['o', ({ wall }) => String(isoWeek(wall).year)],
  ['m', ({ wall }) => two(wall.getUTCMonth() + 1)],
  ['n', ({ wall }) => String(wall.getUTCMonth() + 1)],
  ['M', ({ wall }) => monthName(wall).slice(0, 3)],
  ['b', ({ wall }) => monthName(wall).slice(0, 3).toLowerCase()],
  ['F', ({ wall }) => monthName(wall)],
  ['E', ({ wall }) => monthName(wall)],
  ['N', ({ wall }) => apMonths[wall.getUTCMonth()] ?? ''],
  ['t', ({ wall }) => String(new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0)).getUTCDate())],
  ['y', ({ wall }) => two(wall.getUTCFullYear() % 100)],
  ['Y', ({ wall }) => String(wall.getUTCFullYear()).padStart(4, '0')],
  ['L', ({ wall }) => (new Date(Date.UTC(wall.getUTCFullYear(), 1, 29)).getUTCMonth() === 1 ? 'True' : 'False')],
  ['g', ({ wall }) => String(wall.getUTCHours() % 12 || 12)],
  ['G', ({ wall }) => String(wall.getUTCHours())],
  ['h', ({ wall }) => two(wall.getUTCHours() % 12 || 12)],
  ['H', ({ wall }) => two(wall.getUTCHours())],
  ['i', ({ wall }) => two(wall.getUTCMinutes())],
  ['s', ({ wall }) => two(wall.getUTCSeconds())],
  ['u', () => '000000'],
  ['a', ({ wall }) => (wall.getUTCHours() < 12 ? 'a.m.' : 'p.m.')],
  ['A', ({ wall }) => (wall.getUTCHours() < 12 ? 'AM' : 'PM')],
  ['f', ({ wall }) => shortTime(wall)],
  ['P', ({ wall }) => clockTime(wall)],
  ['O', ({ offset }) => offsetText(offset, '')],
  ['e', ({ offset }) => (offset === 0 ? 'UTC' : offsetText(offset, ':'))],
  ['T', ({ offset }) => (offset === 0 ? 'UTC' : offsetText(offset, ':'))],
  ['Z', ({ offset }) => String(offset * 60)],
  ['c', ({ wall, offset }) => wall.toISOString().slice(0, 19) + offsetText(offset, ':')],
  ['r', ({ wall, offset }) => wall.toUTCString().replace('GMT', offsetText(offset, ''))],
  ['U', ({ wall, offset }) => String(Math.floor(wall.getTime() / 1000) - offset * 60)],
]);

const dayMs = 86_400_000;

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function dayName(wall: Date): string {
  return days[wall.getUTCDay()] ?? '';
}

function monthName(wall: Date): string {
  return months[wall.getUTCMonth()] ?? '';
}

function ordinalSuffix(day: number): string {
  const isTeen = day > 10 && day < 14;
  return isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th');
}

function dayOfYear(wall: Date): number {
  const today = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate());
  return Math.round((today - Date.UTC(wall.getUTCFullYear(), 0, 0)) / dayMs);
}

/** ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(wall: Date): { week: number; year: number } {
  const thursday = new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  return { week: Math.ceil(dayOfYear(thursday) / 7), year: thursday.getUTCFullYear() };
}

/** `1:30`, `1`. */
function shortTime(wall: Date): string {
  const hour = String(wall.getUTCHours() % 12 || 12);
  return wall.getUTCMinutes() === 0 ? hour : `${hour}:${two(wall.getUTCMinutes())}`;
}

/** `1:30 p.m.`, `midnight`, `noon`. */
function clockTime(wall: Date): string {
  const isFull = wall.getUTCMinutes() === 0;
  if (isFull && wall.getUTCHours() === 0) return 'midnight';
  if (isFull && wall.getUTCHours() === 12) return 'noon';
  return `${shortTime(wall)} ${wall.getUTCHours() < 12 ? 'a.m.' : 'p.m.'}`;
}

function offsetText(offset: number, separator: string): string {
  const minutes = Math.abs(offset);
  return `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${separator}${two(minutes % 60)}`;
}
