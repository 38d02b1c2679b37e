// The arithmetic of the retention page: which cohorts are asked for, and the averages of their windows.

import { addDays, addMonths, firstOfMonth, monday } from "./period.js";

/** @typedef {import("./types.js").Cohort} Cohort */
/** @typedef {"day" | "week" | "month"} WindowType */

/**
 * The first day of the window that contains a day.
 * @param {string} day
 * @param {WindowType} type
 */
export function windowOf(day, type) {
  return type === "day" ? day : type === "week" ? monday(day) : firstOfMonth(day);
}

/**
 * The first day of the window `steps` windows after one that begins on a day.
 * @param {string} first
 * @param {WindowType} type
 * @param {number} steps
 */
export function windowAfter(first, type, steps) {
  return type === "month" ? addMonths(first, steps) : addDays(first, (type === "week" ? 7 : 1) * steps);
}

/**
 * The first day of the first of some cohorts. They are counted back from the last one, so that another kind of window
 * shows more or less of the past, and never the future.
 * @param {string} last a day in the last cohort
 * @param {WindowType} type
 * @param {number} cohorts
 */
export function firstCohort(last, type, cohorts) {
  return windowAfter(windowOf(last, type), type, 1 - cohorts);
}

/**
 * @typedef {object} Window
 * @property {string} first its first day
 * @property {number} percent of the cohort
 * @property {number} users
 * @property {boolean} isOpen whether it is not over, so that both will still grow
 */

/**
 * The windows of a cohort that have begun. Those in the future say nothing yet.
 * @param {Cohort} cohort
 * @param {WindowType} type
 * @param {string} today
 * @returns {Window[]}
 */
export function windowsOf(cohort, type, today) {
  return cohort.retention_windows
    .map((percent, index) => ({
      first: windowAfter(cohort.cohort_date, type, index + 1), percent, users: cohort.retained_users[index] ?? 0, isOpen: !cohort.complete[index],
    }))
    .filter(({ first }) => first <= today);
}

/**
 * The share of all people who came back in each window. A cohort weighs as much as it has people, also one of which
 * nobody came back. A cohort whose window is still open is left out of that window.
 * @param {readonly Cohort[]} cohorts
 * @param {number} windows
 * @returns {{ percent: number | null, users: number, of: number, cohorts: number }[]} null where no cohort counts
 */
export function averages(cohorts, windows) {
  return Array.from({ length: windows }, (_, index) => {
    const counted = cohorts.filter((cohort) => cohort.users_count > 0 && cohort.complete[index]);
    const of = counted.reduce((sum, cohort) => sum + cohort.users_count, 0);
    const users = counted.reduce((sum, cohort) => sum + (cohort.retained_users[index] ?? 0), 0);
    return { percent: of > 0 ? (users / of) * 100 : null, users, of, cohorts: counted.length };
  });
}
