// Who comes back: cohorts by day, week or month, as a heatmap and as curves.

import { useAnswer } from "../answer.js";
import { averages, firstCohort, windowAfter, windowOf } from "../cohorts.js";
import { bucket, count, percent } from "../format.js";
import { Choice, Select } from "../parts/controls.js";
import { EventTypes } from "../parts/filters.js";
import { ChartCard } from "../parts/line_chart.js";
import { Nothing } from "../parts/nothing.js";
import { Page } from "../parts/page.js";
import { RetentionTable } from "../parts/retention_table.js";
import { Answered } from "../parts/states.js";
import { isDay } from "../period.js";
import { href, useParams } from "../route.js";
import { today, zone } from "../session.js";
import { html } from "../view.js";

/** @typedef {import("../cohorts.js").WindowType} WindowType */
/** @typedef {import("../types.js").Retention} Retention */

const DEFAULTS = { window_type: "week", cohorts: "8", windows: "8", cohort: "active", event_type: "", return_event_type: "", to: "" };
const WINDOW_TYPES = /** @type {const} */ ([["day", "Days"], ["week", "Weeks"], ["month", "Months"]]);
const COHORTS = /** @type {const} */ ([["active", "Everybody active"], ["new", "New people"]]);
const NAMES = { day: "Day", week: "Week", month: "Month" };
/** What the API allows, for both numbers. */
const MOST = 52;
/** No event is earlier. */
const FIRST_DAY = "1970-01-01";
/** Curves that can be told apart. */
const CURVES = 8;

export default function RetentionPage() {
  const [view, change] = useParams(DEFAULTS);
  const type = /** @type {WindowType} */ (WINDOW_TYPES.some(([name]) => name === view.window_type) ? view.window_type : "week");
  const cohorts = numberOf(view.cohorts);
  const windows = numberOf(view.windows);
  const now = today();
  const last = isDay(view.to) && view.to >= FIRST_DAY && view.to <= now ? view.to : now;
  const params = {
    start_date: firstCohort(last, type, cohorts), window_type: type, cohorts, windows, cohort: view.cohort === "new" ? "new" : "active",
    event_type: view.event_type, return_event_type: view.return_event_type,
  };
  const answer = useAnswer("/stats/retention", params);
  const step = (/** @type {number} */ steps) => change({ to: past(windowAfter(windowOf(last, type), type, steps), now) });
  const controls = html`
    <${Choice} label="Windows of" value=${type} options=${WINDOW_TYPES} onChange=${(/** @type {string} */ window_type) => change({ window_type })} />
    <${Choice} label="People" value=${params.cohort} options=${COHORTS} onChange=${(/** @type {string} */ cohort) => change({ cohort })} />
    <${Select} label="Cohorts" value=${String(cohorts)} options=${numbers(cohorts)} onChange=${(/** @type {string} */ to) => change({ cohorts: to })} />
    <${Select} label="Followed for" value=${String(windows)} options=${numbers(windows)} onChange=${(/** @type {string} */ to) => change({ windows: to })} />
    <div class="period" role="group" aria-label="Last cohort">
      <button type="button" class="small" aria-label="One cohort earlier" onClick=${() => step(-1)}>‹</button>
      <label class="inline-field"><span>Up to</span><input type="date" value=${last} min=${FIRST_DAY} max=${now} onChange=${(/** @type {any} */ event) => isDay(event.target.value) && change({ to: past(event.target.value, now) })} /></label>
      <button type="button" class="small" aria-label="One cohort later" disabled=${windowOf(last, type) === windowOf(now, type)} onClick=${() => step(1)}>›</button>
      <span class="quiet zone" title="Days begin and end in the time zone of the project">${zone()}</span>
    </div>
    <div class="inline-field"><span>who did</span><${EventTypes} label="Event type of the cohort" max=${1} value=${listOf(view.event_type)} onChange=${(/** @type {string[]} */ types) => change({ event_type: types[0] ?? "" })} /></div>
    <div class="inline-field"><span>and came back with</span><${EventTypes} label="Event type of coming back" max=${1} value=${listOf(view.return_event_type)} onChange=${(/** @type {string[]} */ types) => change({ return_event_type: types[0] ?? "" })} /></div>`;
  const fixedLink = href("retention", { ...changed(view), to: last });
  const isFiltered = view.event_type !== "" || params.cohort === "new";
  return html`<${Page} title="Retention" about=${about(params.cohort, type)} controls=${controls}>
    <${Answered} answer=${answer} height=${120 + 36 * cohorts} isEmpty=${(/** @type {Retention} */ data) => data.data.every((cohort) => cohort.users_count === 0)}
      empty=${html`<${Nothing} isFiltered=${isFiltered} what="people in these cohorts" />`}>
      ${(/** @type {Retention} */ data) => html`
        <${RetentionTable} retention=${data} question=${{ path: "/stats/retention", params }} fixedLink=${fixedLink} today=${now} isNew=${params.cohort === "new"} />
        <${Curves} retention=${data} question=${{ path: "/stats/retention", params }} fixedLink=${fixedLink} />`}
    <//>
  <//>`;
}

/** @param {string} cohort @param {WindowType} type */
function about(cohort, type) {
  const who = cohort === "new" ? `people who were new in one ${type}, without an event of any kind before it` : `people who were active in one ${type}`;
  return `Each row is a cohort: the ${who}. The columns say how many of them were active in each ${type} after it.`;
}

/** @param {{ retention: Retention, question: any, fixedLink: string }} props */
function Curves({ retention, question, fixedLink }) {
  const { data, window_type: type } = retention;
  const windows = Math.max(0, ...data.map((cohort) => cohort.retention_windows.length));
  const drawn = data.filter((cohort) => cohort.complete[0]).slice(1 - CURVES);
  const points = Array.from({ length: windows + 1 }, (_, index) => ({ at: String(index), label: `${NAMES[type]} ${index}`, short: String(index) }));
  const lines = [
    { label: "All cohorts", values: [100, ...averages(data, windows).map((average) => average.percent)] },
    ...drawn.map((cohort) => ({ label: bucket(cohort.cohort_date, type), values: [100, ...cohort.retention_windows.map((value, index) => (cohort.complete[index] ? value : null))] })),
  ];
  if (drawn.length === 0) return null;
  const note = `${drawn.length < data.length ? `The latest ${count(drawn.length, "cohort")} with a window that is over. ` : ""}Windows that are still open are left out.`;
  return html`<${ChartCard} title="Share that came back" name="retention-curves" note=${note} points=${points} lines=${lines} pointHead=${NAMES[type]}
    format=${(/** @type {number} */ value) => percent(value)} axisFormat=${(/** @type {number} */ value) => `${value}%`} question=${question} fixedLink=${fixedLink} />`;
}

/** @param {string} day @param {string} now the last day is today at most; today itself is not written into the address, so it stays relative */
function past(day, now) {
  return day >= now ? "" : day;
}

/** @param {string} text */
function numberOf(text) {
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= MOST ? value : 8;
}

/**
 * The numbers of a list, and the one of the address.
 * @param {number} value
 */
function numbers(value) {
  return [...new Set([4, 8, 12, 26, MOST, value])].sort((a, b) => a - b).map((one) => [String(one), String(one)]);
}

/** @param {string} text */
function listOf(text) {
  return text === "" ? [] : [text];
}

/** @param {Record<string, string>} view */
function changed(view) {
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== /** @type {Record<string, string>} */ (DEFAULTS)[name]));
}
