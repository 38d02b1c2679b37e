// The series of a trend, each with its total, what it was in the period before, and where its events are.

import { full, Num, percent } from "../format.js";
import { fixed, isUnfinished } from "../period.js";
import { href } from "../route.js";
import { now as nowMs } from "../api.js";
import { today } from "../session.js";
import { html } from "../view.js";
import { Change } from "./change.js";
import { DataTable } from "./data_table.js";
import { Id } from "./controls.js";
import { Card, Export } from "./page.js";
import { Sparkline } from "./sparkline.js";

/** @typedef {import("../types.js").Series} Series */
/** @typedef {import("../types.js").Trends} Trends */

/** The name that the API gives to the values that have no series of their own. */
const OTHER = "other";

/**
 * The name of a series on screen.
 * @param {Series} series
 * @param {boolean} isBrokenDown
 */
export function nameOf({ event_type: type, value }, isBrokenDown) {
  if (!isBrokenDown) return type ?? "All events";
  const ofProperty = value ?? "without the property";
  return type === null ? ofProperty : `${type} · ${ofProperty}`;
}

/**
 * @param {{ now: Trends, earlier: Trends | null, days: import("../period.js").Days, where: readonly string[], breakdown: string, question: any, fixedLink: string }} props
 */
export function SeriesTable({ now, earlier, days, where, breakdown, question, fixedLink }) {
  const unit = now.metric === "users" ? "people" : "events";
  const isBrokenDown = breakdown !== "";
  const all = now.data.reduce((sum, series) => sum + series.total, 0);
  const last = now.data[0]?.points.filter((point) => isUnfinished(point.at, now.interval, today(), nowMs())).length ?? 0;
  // People may be in several series, so only events have shares.
  const hasShares = now.metric === "events" && now.data.length > 1 && all > 0;
  const columns = [
    { key: "name", label: "Series", isWide: true, value: (/** @type {Series} */ series) => nameOf(series, isBrokenDown),
      show: (/** @type {Series} */ series) => html`<${Id} text=${nameOf(series, isBrokenDown)} href=${eventsOf(series, days, where, breakdown)} />` },
    { key: "points", label: `By ${now.interval}`, show: (/** @type {Series} */ series) => html`<${Sparkline} values=${series.points.map((point) => point.value)} unfinished=${last} />` },
    { key: "total", label: unit === "people" ? "People" : "Events", isNumber: true, isSortable: true, value: (/** @type {Series} */ series) => series.total,
      show: (/** @type {Series} */ series) => html`<${Num} value=${series.total} unit=${unit} />` },
    ...(hasShares ? [{ key: "share", label: "Share", isNumber: true, show: (/** @type {Series} */ series) => html`<span title=${`of ${full(all)}`}>${percent((series.total / all) * 100)}</span>` }] : []),
    ...(earlier ? [
      { key: "before", label: "Before", isNumber: true, isSortable: true, value: (/** @type {Series} */ series) => beforeOf(series, earlier),
        show: (/** @type {Series} */ series) => html`<${Num} value=${beforeOf(series, earlier)} unit=${unit} />` },
      { key: "change", label: "Change", isNumber: true, show: (/** @type {Series} */ series) => html`<${Change} now=${series.total} before=${beforeOf(series, earlier)} than="before" />` },
    ] : []),
  ];
  const note = now.metric === "users" ? "Different people in the whole period: whoever was there on two days counts once." : undefined;
  return html`<${Card} title="Series" note=${note} actions=${html`<${Export} name=${`trends-${now.metric}-series`} columns=${csvOf(now)} rows=${csvRows(now)} question=${question} fixedLink=${fixedLink} />`}>
    <${DataTable} caption="Series with their totals" columns=${columns} rows=${now.data} rowKey=${(/** @type {Series} */ series) => JSON.stringify([series.event_type, series.value, now.data.indexOf(series)])} height=${420} />
  <//>`;
}

/**
 * The total of the same series in the period before; null if it is one of the others there.
 * @param {Series} series
 * @param {Trends} earlier
 */
function beforeOf(series, earlier) {
  const same = earlier.data.find((one) => one.event_type === series.event_type && one.value === series.value);
  if (same) return same.total;
  return earlier.data.some((one) => one.value === OTHER) ? null : 0;
}

/**
 * The events of a series. Others, and values that were cut, cannot be asked for.
 * @param {Series} series
 * @param {import("../period.js").Days} days
 * @param {readonly string[]} where
 * @param {string} breakdown
 */
function eventsOf({ event_type: type, value }, days, where, breakdown) {
  if (value === OTHER || (value !== null && value.endsWith("…"))) return undefined;
  const filter = breakdown === "" ? [] : [value === null ? `${breakdown}:exists:false` : `${breakdown}:eq:${value}`];
  return href("events", { event_type: type, where: [...where, ...filter], period: fixed(days) });
}

/** @param {Trends} trends */
function csvOf(trends) {
  return [
    { label: "event_type", value: (/** @type {any} */ row) => row.series.event_type },
    { label: "value", value: (/** @type {any} */ row) => row.series.value },
    { label: "at", value: (/** @type {any} */ row) => row.point.at },
    { label: trends.metric, value: (/** @type {any} */ row) => row.point.value },
    { label: "total", value: (/** @type {any} */ row) => row.series.total },
  ];
}

/** @param {Trends} trends */
function csvRows(trends) {
  return trends.data.flatMap((series) => series.points.map((point) => ({ series, point })));
}
