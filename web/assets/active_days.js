// The days on which a user was active, counted from the user's own events, because the API names only their number.

import { get } from "./api.js";
import { dayOf } from "./clock.js";
import { addDays, monday } from "./period.js";

/** Weeks of a calendar. */
export const WEEKS = 26;
/** Events of a page, and most pages: a user with more events in half a year has days that are not read. */
const PAGE_ROWS = 1000;
const MAX_PAGES = 10;

/**
 * @typedef {object} ActiveDays
 * @property {string} from a Monday
 * @property {string} to the last day of the calendar
 * @property {Map<string, number>} counts events by day
 * @property {string | null} readFrom the earliest day whose events are all counted; null if all days are
 */

/**
 * The days of the calendar whose last day is given.
 * @param {string} last
 * @returns {import("./period.js").Days}
 */
export function calendarOf(last) {
  return { from: addDays(monday(last), -7 * (WEEKS - 1)), to: last };
}

/**
 * Counts the events of a user by day.
 * @param {string} path of the events
 * @param {import("./api.js").Params} params
 * @param {import("./period.js").Days} days
 * @param {string} zone
 * @param {AbortSignal} signal
 * @returns {Promise<ActiveDays>}
 */
export async function readActiveDays(path, params, days, zone, signal) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  let cursor = null;
  let earliest = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    /** @type {import("./types.js").Page<import("./types.js").Event>} */
    const answer = await get(path, { ...params, ...days, order: "desc", limit: PAGE_ROWS, cursor }, { signal });
    for (const event of answer.data) {
      earliest = dayOf(event.occurred_at, zone);
      counts.set(earliest, (counts.get(earliest) ?? 0) + 1);
    }
    cursor = answer.next_cursor;
    if (cursor === null) return { ...days, counts, readFrom: null };
  }
  // The earliest day may have further events, and what is before it has not been looked at.
  return { ...days, counts, readFrom: earliest === "" ? addDays(days.to, 1) : addDays(earliest, 1) };
}
