// Local times of the project's zone: "2025-10-01T14:00", as fields for a date and a time have them. They are compared
// as texts. Only here do they become instants.

import { isDay } from "./period.js";

const MINUTE_MS = 60_000;
const HOURS_OF_DAY = 24;

/**
 * @param {unknown} text
 * @returns {text is string}
 */
export function isLocalTime(text) {
  if (typeof text !== "string") return false;
  const [day, time = "", ...more] = text.split("T");
  return isDay(day) && more.length === 0 && /^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/.test(time);
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * The local time of an instant, to the second.
 * @param {number} instantMs
 * @param {string} zone
 */
export function localTime(instantMs, zone) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-u-ca-gregory-nu-latn", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(instantMs).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
}

/**
 * The day of an instant.
 * @param {string} instant RFC 3339
 * @param {string} zone
 */
export function dayOf(instant, zone) {
  return localTime(Date.parse(instant), zone).slice(0, 10);
}

/**
 * The instant of a local time. When clocks are put back, a time is there twice: `which` says whether the first or the
 * last of them is meant. When they are put forward, a time is missing: then it is the instant of the change.
 * @param {string} local
 * @param {string} zone
 * @param {"first" | "last"} which
 */
export function instantOf(local, zone, which) {
  const wanted = local.length === 16 ? `${local}:00` : local;
  const asUtc = Date.parse(`${wanted}Z`);
  // The offset is that of one of the days around it.
  const offsets = new Set([-HOURS_OF_DAY, 0, HOURS_OF_DAY].map((hours) => {
    const at = asUtc + hours * 60 * MINUTE_MS;
    return Date.parse(`${localTime(at, zone)}Z`) - at;
  }));
  const possible = [...offsets].map((offset) => asUtc - offset).sort((a, b) => a - b);
  const exact = possible.filter((at) => localTime(at, zone) === wanted);
  const chosen = exact.length > 0 ? exact.at(which === "first" ? 0 : -1) : changeBetween(possible[0] ?? asUtc, possible.at(-1) ?? asUtc, wanted, zone);
  return new Date(chosen ?? asUtc).toISOString();
}

/**
 * The first instant whose local time is after the wanted one, to the minute.
 * @param {number} low
 * @param {number} high
 * @param {string} wanted
 * @param {string} zone
 */
function changeBetween(low, high, wanted, zone) {
  let [before, after] = [low - MINUTE_MS, high + MINUTE_MS];
  while (after - before > MINUTE_MS) {
    const middle = before + Math.floor((after - before) / 2 / MINUTE_MS) * MINUTE_MS;
    if (localTime(middle, zone) > wanted) after = middle;
    else before = middle;
  }
  return after;
}
