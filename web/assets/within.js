// The time that people have for all steps of a funnel, as in the API: "30m", "12h", "7d".

const UNITS = /** @type {const} */ ({ m: { seconds: 60, name: "minutes" }, h: { seconds: 3600, name: "hours" }, d: { seconds: 86_400, name: "days" } });

/** Names of the units, for a list. */
export const UNIT_NAMES = Object.entries(UNITS).map(([unit, { name }]) => /** @type {[string, string]} */ ([unit, name]));

/** Longest time, in seconds: 90 days. */
const MAX_SECONDS = 90 * 86_400;

/**
 * The number and the unit of a time; null if it is none, or not from one minute to 90 days.
 * @param {string} text
 * @returns {{ number: number, unit: "m" | "h" | "d" } | null}
 */
export function readWithin(text) {
  const found = /^(\d{1,6})([mhd])$/.exec(text);
  if (!found) return null;
  const number = Number(found[1]);
  const unit = /** @type {"m" | "h" | "d"} */ (found[2]);
  const seconds = number * UNITS[unit].seconds;
  return number >= 1 && seconds <= MAX_SECONDS ? { number, unit } : null;
}

/**
 * "7 days".
 * @param {string} text
 */
export function withinInWords(text) {
  const within = readWithin(text);
  if (!within) return text;
  const name = UNITS[within.unit].name;
  return `${within.number} ${within.number === 1 ? name.slice(0, -1) : name}`;
}
