// Retention as a table: a row for each cohort, a column for each window, and the averages above.

import { averages, windowsOf } from "../cohorts.js";
import { bucket, count, full, Num, percent } from "../format.js";
import { isUnfinished } from "../period.js";
import { now } from "../api.js";
import { savePng } from "../png.js";
import { html } from "../view.js";
import { Heatmap } from "./heatmap.js";
import { Card, Export } from "./page.js";
import { heatPicture } from "./pictures.js";

/** @typedef {import("../types.js").Cohort} Cohort */

const NAMES = { day: "Day", week: "Week", month: "Month" };

/**
 * @param {{ retention: import("../types.js").Retention, question: any, fixedLink: string, today: string, isNew: boolean }} props `isNew`: nobody is in two cohorts
 */
export function RetentionTable({ retention, question, fixedLink, today, isNew }) {
  const { data, window_type: type } = retention;
  const windows = Math.max(0, ...data.map((cohort) => cohort.retention_windows.length));
  const people = data.reduce((sum, cohort) => sum + cohort.users_count, 0);
  const rows = data.map((cohort) => ({
    key: cohort.cohort_date,
    head: bucket(cohort.cohort_date, type),
    note: html`<${Num} value=${cohort.users_count} unit="people" />${isUnfinished(cohort.cohort_date, type, today, now()) && html` <span class="so-far">so far</span>`}`,
    cells: windowsOf(cohort, type, today).map((window) => ({
      value: window.percent, isOpen: window.isOpen,
      text: isNobodyYet(window) ? "–" : html`<b>${percent(window.percent)}</b> <span class="heat-count">${full(window.users)}</span>`,
      title: `${full(window.users)} of ${count(cohort.users_count, "person", "people")}, ${bucket(window.first, type)}${window.isOpen ? ", so far" : ""}`,
    })),
  }));
  const average = {
    key: "all", head: "All cohorts", 
    // Whoever is in several cohorts would be counted several times.
    note: html`<${Num} value=${isNew ? people : null} unit="people" />`,
    cells: averages(data, windows).map((one) => ({
      value: one.percent, text: one.percent === null ? "–" : html`<b>${percent(one.percent)}</b> <span class="heat-count">${full(one.users)}</span>`,
      title: one.percent === null ? "No cohort has a window that is over" : `${full(one.users)} of ${full(one.of)} people in ${count(one.cohorts, "cohort")}`,
    })),
  };
  const heads = [`Cohort (${NAMES[type].toLowerCase()})`, ...Array.from({ length: windows }, (_, index) => `${NAMES[type]} ${index + 1}`)];
  const save = () => savePng(heatPicture(heads, pictureRows(data, type, windows, today), most(data)), "retention.png", "Retention");
  const note = html`Percent of the cohort, and how many people. Hatched: not over yet, the number will grow. All cohorts: weighted by size, without what is not over.`;
  return html`<${Card} title="Cohorts" note=${note} class="retention" actions=${html`<${Export} name="retention" columns=${CSV} rows=${csvRows(data)} onPng=${save} question=${question} fixedLink=${fixedLink} />`}>
    <${Heatmap} caption="Retention by cohort and window" heads=${heads} noteHead="People" rows=${[average, ...rows]} max=${most(data)} />
  <//>`;
}

/**
 * Nobody yet is not nobody: it is not written as 0 %.
 * @param {import("../cohorts.js").Window} window
 */
function isNobodyYet({ isOpen, users }) {
  return isOpen && users === 0;
}

/**
 * @param {readonly Cohort[]} data
 * @param {import("../cohorts.js").WindowType} type
 * @param {number} windows
 * @param {string} today
 */
function pictureRows(data, type, windows, today) {
  const average = { head: "All cohorts", cells: averages(data, windows).map((one) => ({ value: one.percent, text: percent(one.percent) })) };
  return [average, ...data.map((cohort) => ({
    head: `${bucket(cohort.cohort_date, type)} (${full(cohort.users_count)})`,
    cells: windowsOf(cohort, type, today).map((window) => ({ value: window.percent, isOpen: window.isOpen, text: isNobodyYet(window) ? "–" : percent(window.percent) })),
  }))];
}

/**
 * The strongest colour is for the highest share, so that low retention has colours too.
 * @param {readonly Cohort[]} data
 */
function most(data) {
  return Math.max(1, ...data.flatMap((cohort) => cohort.retention_windows));
}

/** The columns of the API's own CSV. */
const CSV = [
  { label: "cohort_date", value: (/** @type {any} */ row) => row.cohort.cohort_date },
  { label: "window", value: (/** @type {any} */ row) => row.window },
  { label: "users", value: (/** @type {any} */ row) => (row.window === 0 ? row.cohort.users_count : row.cohort.retained_users[row.window - 1]) },
  { label: "percent", value: (/** @type {any} */ row) => row.cohort.retention_windows[row.window - 1] },
  { label: "complete", value: (/** @type {any} */ row) => row.cohort.complete[row.window - 1] },
];

/** @param {readonly Cohort[]} data */
function csvRows(data) {
  return data.flatMap((cohort) => [0, ...cohort.retained_users.map((_, index) => index + 1)].map((window) => ({ cohort, window })));
}
