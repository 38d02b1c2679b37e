// Periods of days in the project's time zone. A day is a string, "2025-10-01", and all arithmetic is on strings, so
// the browser's own time zone changes nothing.
//
// A period is named as in addresses: a preset, which stays relative ("30d", "last-month"), or two days
// ("2025-10-01..2025-10-31", both included).

/** @typedef {{ from: string, to: string }} Days both are included */
/** @typedef {"hour" | "day" | "week" | "month"} Interval */

const DAY_MS = 86_400_000;

/** The presets in the order of the menu: name in addresses, and name on screen. */
export const PRESETS = /** @type {const} */ ([
  ["today", "Today"],
  ["yesterday", "Yesterday"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["this-week", "This week"],
  ["this-month", "This month"],
  ["last-month", "Last month"],
  ["12m", "Last 12 months"],
]);

/** The presets of the keys d, w and m. */
export const KEYS = /** @type {Record<string, string>} */ ({ d: "today", w: "7d", m: "30d" });

/** Longest period of the API, in days. */
export const MAX_DAYS = 1100;

/**
 * The day that it is in a time zone.
 * @param {string} zone
 * @param {number} nowMs
 */
export function today(zone, nowMs) {
  const format = new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const parts = Object.fromEntries(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** @param {string} day */
function ms(day) {
  return Date.parse(`${day}T00:00:00Z`);
}

/** @param {number} time */
function day(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/**
 * @param {unknown} text
 * @returns {text is string}
 */
export function isDay(text) {
  return typeof text === "string" && /^\d{4}-\d{2}-\d{2}$/.test(text) && Number.isFinite(ms(text)) && day(ms(text)) === text;
}

/**
 * @param {string} from
 * @param {number} days
 */
export function addDays(from, days) {
  return day(ms(from) + days * DAY_MS);
}

/**
 * The same day of another month, or its last day if it is shorter.
 * @param {string} from
 * @param {number} months
 */
export function addMonths(from, months) {
  const [year = 0, month = 1, date = 1] = from.split("-").map(Number);
  const length = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return day(Date.UTC(year, month - 1 + months, Math.min(date, length)));
}

/**
 * How many days a period has.
 * @param {Days} days
 */
export function length({ from, to }) {
  return Math.round((ms(to) - ms(from)) / DAY_MS) + 1;
}

/**
 * The Monday of a week.
 * @param {string} of
 */
export function monday(of) {
  return addDays(of, -((new Date(ms(of)).getUTCDay() + 6) % 7));
}

/** @param {string} of */
export function firstOfMonth(of) {
  return `${of.slice(0, 8)}01`;
}

/**
 * The days of a period; null if its name is wrong.
 * @param {string} name
 * @param {string} now the day that it is in the project
 * @returns {Days | null}
 */
export function resolve(name, now) {
  switch (name) {
    case "today":
      return { from: now, to: now };
    case "yesterday":
      return { from: addDays(now, -1), to: addDays(now, -1) };
    case "this-week":
      return { from: monday(now), to: now };
    case "this-month":
      return { from: firstOfMonth(now), to: now };
    case "last-month":
      return { from: addMonths(firstOfMonth(now), -1), to: addDays(firstOfMonth(now), -1) };
    case "12m":
      return { from: addMonths(firstOfMonth(now), -11), to: now };
  }
  const days = /^(\d{1,4})d$/.exec(name);
  if (days) return Number(days[1]) >= 1 && Number(days[1]) <= MAX_DAYS ? { from: addDays(now, 1 - Number(days[1])), to: now } : null;
  const [from, to, more] = name.split("..");
  if (more !== undefined || !isDay(from) || !isDay(to) || from > to) return null;
  return length({ from, to }) <= MAX_DAYS ? { from, to } : null;
}

/** @param {Days} days */
export function fixed({ from, to }) {
  return `${from}..${to}`;
}

/**
 * Whether two days are the first and the last day of the same months.
 * @param {Days} days
 */
function isMonths({ from, to }) {
  return from === firstOfMonth(from) && addDays(to, 1) === firstOfMonth(addDays(to, 1));
}

/**
 * The period that a number is compared with: as many days directly before, or as many months if it consists of months.
 * The last 30 days are never a month, although on some days they have the days of one.
 * @param {Days} days
 * @param {string} name of the period
 * @returns {Days}
 */
export function before(days, name) {
  return /^\d+d$/.test(name) ? { from: addDays(days.from, -length(days)), to: addDays(days.from, -1) } : shift(days, -1);
}

/**
 * The period `steps` lengths later.
 * @param {Days} days
 * @param {number} steps
 * @returns {Days}
 */
export function shift(days, steps) {
  if (isMonths(days)) {
    const [fromYear = 0, fromMonth = 0] = days.from.split("-").map(Number);
    const [toYear = 0, toMonth = 0] = days.to.split("-").map(Number);
    const months = ((toYear - fromYear) * 12 + toMonth - fromMonth + 1) * steps;
    return { from: addMonths(days.from, months), to: addDays(addMonths(addDays(days.to, 1), months), -1) };
  }
  const moved = length(days) * steps;
  return { from: addDays(days.from, moved), to: addDays(days.to, moved) };
}

/**
 * The interval in which a period is shown, unless somebody chooses another.
 * @param {Days} days
 * @returns {Exclude<Interval, "hour">}
 */
export function intervalFor(days) {
  const many = length(days);
  if (many <= 92) return "day";
  return many <= 400 ? "week" : "month";
}

/**
 * Whether an interval is not over yet, so that its number will still grow.
 * @param {string} at its name in answers: its first day, or its beginning with the offset if it is an hour
 * @param {Interval} interval
 * @param {string} now the day that it is in the project
 * @param {number} nowMs
 */
export function isUnfinished(at, interval, now, nowMs) {
  switch (interval) {
    case "hour":
      return Date.parse(at) + 3_600_000 > nowMs;
    case "day":
      return at >= now;
    case "week":
      return addDays(monday(at), 7) > now;
    case "month":
      return addMonths(firstOfMonth(at), 1) > now;
  }
}
