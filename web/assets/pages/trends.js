// How much happens over time: events or people, of some types or all, filtered, and broken down by a property.

import { get } from "../api.js";
import { useAsk } from "../answer.js";
import { short } from "../format.js";
import { Choice, Switch } from "../parts/controls.js";
import { Breakdown, EventTypes, Filters } from "../parts/filters.js";
import { colorsOf } from "../parts/canvas_chart.js";
import { ChartCard, pointsOf } from "../parts/line_chart.js";
import { Nothing } from "../parts/nothing.js";
import { Page } from "../parts/page.js";
import { daysOf, PeriodPicker } from "../parts/period_picker.js";
import { nameOf, SeriesTable } from "../parts/series_table.js";
import { Answered } from "../parts/states.js";
import { before, fixed, intervalFor, length } from "../period.js";
import { href, useParams } from "../route.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").Trends} Trends */
/** @typedef {import("../period.js").Interval} Interval */
/** @typedef {{ now: Trends, earlier: Trends | null, days: import("../period.js").Days, where: readonly string[], breakdown: string }} Asked */

const DEFAULTS = { period: "30d", event_type: [], metric: "events", interval: "", where: [], breakdown: "", compare: "no" };
const METRICS = /** @type {const} */ ([["events", "Events"], ["users", "People"]]);
const INTERVALS = /** @type {const} */ ([["hour", "Hours"], ["day", "Days"], ["week", "Weeks"], ["month", "Months"]]);
/** Longest period by hours that the API answers, in days. */
const MAX_DAYS_OF_HOURS = 31;
/** Lines that can be told apart. With the period before, each of them is two lines. */
const MAX_LINES = 8;
const MAX_COMPARED_LINES = 4;
const HEIGHT = 320;

export default function TrendsPage() {
  const [view, change] = useParams(DEFAULTS);
  const days = daysOf(view.period);
  const intervals = INTERVALS.filter(([name]) => name !== "hour" || length(days) <= MAX_DAYS_OF_HOURS);
  const usual = length(days) <= 2 ? "hour" : intervalFor(days);
  const interval = /** @type {Interval} */ (intervals.some(([name]) => name === view.interval) ? view.interval : usual);
  const metric = view.metric === "users" ? "users" : "events";
  const isCompared = view.compare === "yes";
  const params = { metric, event_type: view.event_type, interval, ...days, where: view.where, breakdown: view.breakdown };
  const answer = useAsk(async (signal) => {
    const [now, earlier] = await Promise.all([
      get("/stats/trends", params, { signal }),
      isCompared ? get("/stats/trends", { ...params, ...before(days, view.period) }, { signal }) : null,
    ]);
    // What was asked for belongs to the answer: it stays on screen while another one is on its way.
    return /** @type {Asked} */ ({ now, earlier, days, where: view.where, breakdown: view.breakdown });
  }, [JSON.stringify(params), isCompared]);
  const controls = html`
    <${PeriodPicker} value=${view.period} onChange=${(/** @type {string} */ period) => change({ period })} />
    <span class="push"></span>
    <${Switch} label="Compare with the period before" value=${isCompared} onChange=${(/** @type {boolean} */ on) => change({ compare: on ? "yes" : "no" })} />
    <${Choice} label="What is counted" value=${metric} options=${METRICS} onChange=${(/** @type {string} */ to) => change({ metric: to })} />
    <${Choice} label="Interval" value=${interval} options=${intervals} onChange=${(/** @type {string} */ to) => change({ interval: to === usual ? "" : to })} />`;
  const { compare, period, ...filters } = view;
  const fixedLink = href("trends", { ...filters, metric: metric === "users" ? metric : "", ...(isCompared && { compare: "yes" }), period: fixed(days) });
  const question = { path: "/stats/trends", params };
  const isFiltered = view.event_type.length > 0 || view.where.length > 0;
  return html`<${Page} title="Trends" controls=${controls}>
    <div class="controls" role="group" aria-label="Which events count">
      <${EventTypes} value=${view.event_type} onChange=${(/** @type {string[]} */ event_type) => change({ event_type })} />
      <${Filters} value=${view.where} eventTypes=${view.event_type} onChange=${(/** @type {string[]} */ where) => change({ where })} />
      <${Breakdown} value=${view.breakdown} eventTypes=${view.event_type} onChange=${(/** @type {string} */ breakdown) => change({ breakdown })} />
    </div>
    <${Answered} answer=${answer} height=${HEIGHT + 110} isEmpty=${(/** @type {Asked} */ { now }) => now.data.every((series) => series.total === 0)}
      empty=${html`<${Nothing} isFiltered=${isFiltered} />`}>
      ${(/** @type {Asked} */ data) => html`
        <${Chart} ...${data} question=${question} fixedLink=${fixedLink} />
        <${SeriesTable} ...${data} question=${question} fixedLink=${fixedLink} />`}
    <//>
  <//>`;
}

/** @param {Asked & { question: any, fixedLink: string }} props */
function Chart({ now, earlier, breakdown, question, fixedLink }) {
  const isBrokenDown = breakdown !== "";
  const drawn = largest(now.data, earlier ? MAX_COMPARED_LINES : MAX_LINES);
  const names = now.data[0]?.points.map((point) => point.at) ?? [];
  const colors = colorsOf(drawn.map((series) => ({ label: nameOf(series, isBrokenDown), values: [] })));
  const lines = drawn.flatMap((series, index) => {
    const same = earlier?.data.find((one) => one.event_type === series.event_type && one.value === series.value);
    const values = series.points.map((point) => point.value);
    const line = { label: nameOf(series, isBrokenDown), values, color: colors[index] };
    if (!earlier) return [line];
    // The period before may have an interval more or less, such as a month with 31 days or a day with 25 hours.
    const earlierValues = values.map((_, index) => same?.points[index]?.value ?? null);
    return [line, { label: drawn.length === 1 ? "Period before" : `${nameOf(series, isBrokenDown)}, period before`, values: earlierValues, isBefore: true, ...(drawn.length > 1 && { color: colors[index] }) }];
  });
  const notes = [
    drawn.length < now.data.length && `The ${drawn.length} largest of ${now.data.length} series.`,
    now.metric === "users" && "Different people in each interval.",
  ];
  return html`<${ChartCard} title=${now.metric === "users" ? "People" : "Events"} name=${`trends-${now.metric}`} note=${notes.filter(Boolean).join(" ")}
    points=${pointsOf(names, now.interval)} lines=${lines} height=${HEIGHT} axisFormat=${short} pointHead=${{ hour: "Hour", day: "Day", week: "Week", month: "Month" }[now.interval]}
    question=${question} fixedLink=${fixedLink} />`;
}

/**
 * The largest series, in their order in the answer.
 * @param {readonly import("../types.js").Series[]} series
 * @param {number} most
 */
function largest(series, most) {
  const kept = new Set([...series].sort((a, b) => b.total - a.total).slice(0, most));
  return series.filter((one) => kept.has(one));
}
