// The first page: who was there, what happened, and how that compares. It is the model for the other pages.

import { get } from "../api.js";
import { useAnswer, useAsk } from "../answer.js";
import { days as daysText, longDay, Num, short } from "../format.js";
import { BarList } from "../parts/bar_list.js";
import { Change } from "../parts/change.js";
import { Choice, Switch } from "../parts/controls.js";
import { Notice } from "../parts/notice.js";
import { ChartCard, pointsOf } from "../parts/line_chart.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { daysOf, PeriodPicker } from "../parts/period_picker.js";
import { Answered, Empty } from "../parts/states.js";
import { addDays, before, firstOfMonth, fixed, intervalFor, length, monday, shift } from "../period.js";
import { href, useParams } from "../route.js";
import { today, zone } from "../session.js";
import { html } from "../view.js";
import { FirstEvent } from "./send_event.js";

/** @typedef {import("../period.js").Days} Days */

/** What the address of this page may say, and what it means when it does not. */
const DEFAULTS = { period: "30d", compare: "yes", interval: "" };
const INTERVALS = /** @type {const} */ ([["day", "Days"], ["week", "Weeks"], ["month", "Months"]]);
const HEIGHT = 280;
/** Most windows of the question about new people. */
const MAX_WINDOWS = 52;

export default function Overview() {
  const [view, change] = useParams(DEFAULTS);
  const days = daysOf(view.period);
  const daysBefore = before(days, view.period);
  const interval = /** @type {"day" | "week" | "month"} */ (INTERVALS.some(([name]) => name === view.interval) ? view.interval : intervalFor(days));
  const isCompared = view.compare === "yes";
  const fixedLink = href("overview", { ...(view.interval && { interval }), period: fixed(days) });
  const types = useAnswer("/event-types", { limit: 1 });
  // One notice instead of one in every card.
  if (types.data === null && types.problem) return html`<${Page} title="Overview"><${Notice} problem=${types.problem} onRetry=${types.reload} /><//>`;
  if (types.data?.data.length === 0) return html`<${Page} title="Overview"><${FirstEvent} onStored=${types.reload} /><//>`;
  return html`<${Page} title="Overview" controls=${html`
    <${PeriodPicker} value=${view.period} onChange=${(/** @type {string} */ period) => change({ period })} />
    <span class="push"></span>
    <${Switch} label="Compare with the period before" value=${isCompared} onChange=${(/** @type {boolean} */ on) => change({ compare: on ? "yes" : "no" })} />
    <${Choice} label="Interval" value=${interval} options=${INTERVALS} onChange=${(/** @type {string} */ to) => change({ interval: to === intervalFor(days) ? "" : to })} />`}>
    <${Stats} days=${days} daysBefore=${daysBefore} />
    <${ActivePeople} days=${days} daysBefore=${daysBefore} interval=${interval} isCompared=${isCompared} fixedLink=${fixedLink} />
    <div class="grid">
      <${NewAndReturning} days=${days} fixedLink=${fixedLink} />
      <${TopEvents} days=${days} daysBefore=${daysBefore} isCompared=${isCompared} />
    </div>
  <//>`;
}

/**
 * Different people in a period.
 * @param {Days} days
 * @param {AbortSignal} signal
 */
async function people(days, signal) {
  const answer = await get("/stats/trends", { metric: "users", interval: intervalFor(days), ...days }, { signal });
  return /** @type {number} */ (answer.data[0]?.total ?? 0);
}

/**
 * Events in a period.
 * @param {Days} days
 * @param {AbortSignal} signal
 */
async function events(days, signal) {
  const answer = await get("/stats/trends", { interval: intervalFor(days), ...days }, { signal });
  return /** @type {number} */ (answer.data[0]?.total ?? 0);
}

/**
 * The numbers at the top. Active people are those of the last day that is over: today has only begun, and would look
 * like a loss every morning.
 * @param {{ days: Days, daysBefore: Days }} props
 */
function Stats({ days, daysBefore }) {
  const isToday = days.to === today();
  const last = isToday && length(days) > 1 ? addDays(days.to, -1) : days.to;
  /** @param {number} many @returns {Days} */
  const until = (many) => ({ from: addDays(last, 1 - many), to: last });
  const answer = useAsk(async (signal) => {
    const [day, week, month] = [until(1), until(7), until(30)];
    const [dau, dauBefore, wau, wauBefore, mau, mauBefore, all, allBefore] = await Promise.all([
      people(day, signal), people(shift(day, -7), signal), people(week, signal), people(before(week, "7d"), signal),
      people(month, signal), people(before(month, "30d"), signal), events(days, signal), events(daysBefore, signal),
    ]);
    return { dau, dauBefore, wau, wauBefore, mau, mauBefore, all, allBefore };
  }, [last, JSON.stringify([days, daysBefore])]);
  return html`<div class="stats-room"><${Answered} answer=${answer} height=${118}>${(/** @type {any} */ data) => html`<div class="stats">
    <${Stat} label="Active in a day" value=${html`<${Num} value=${data.dau} unit="people" />`} title="Different people with an event on that day"
      compared=${html`<${Change} now=${data.dau} before=${data.dauBefore} than="a week before" />`} note=${html`${longDay(last)}${last === today() && html` <span class="so-far">so far</span>`}`} />
    <${Stat} label="Active in 7 days" value=${html`<${Num} value=${data.wau} unit="people" />`} title="Different people with an event in these days"
      compared=${html`<${Change} now=${data.wau} before=${data.wauBefore} than="7 days before" />`} note=${daysText(until(7))} />
    <${Stat} label="Active in 30 days" value=${html`<${Num} value=${data.mau} unit="people" />`} title="Different people with an event in these days"
      compared=${html`<${Change} now=${data.mau} before=${data.mauBefore} than="30 days before" />`} note=${daysText(until(30))} />
    <${Stat} label="Events" value=${html`<${Num} value=${data.all} unit="events" />`} title="Events in the whole period"
      compared=${html`<${Change} now=${data.all} before=${data.allBefore} than="the period before" />`} note=${html`${daysText(days)}${isToday && html` <span class="so-far">so far</span>`}`} />
  </div>`}<//></div>`;
}

/** @param {{ days: Days, daysBefore: Days, interval: "day" | "week" | "month", isCompared: boolean, fixedLink: string }} props */
function ActivePeople({ days, daysBefore, interval, isCompared, fixedLink }) {
  const params = { ...days, granularity: interval };
  const answer = useAsk(async (signal) => {
    const [now, earlier] = await Promise.all([
      get("/stats/dau", params, { signal }),
      isCompared ? get("/stats/dau", { ...daysBefore, granularity: interval }, { signal }) : null,
    ]);
    return { interval, now: now.data, earlier: earlier?.data ?? null };
  }, [JSON.stringify(params), isCompared]);
  return html`<${Answered} answer=${answer} height=${HEIGHT + 110}>${(/** @type {any} */ data) => html`<${ChartCard}
    title="Active people" name="active-people" question=${{ path: "/stats/dau", params }} fixedLink=${fixedLink} height=${HEIGHT}
    points=${pointsOf(data.now.map((/** @type {any} */ one) => one.date), data.interval)}
    lines=${[
      // The period before may have one interval more or less, such as a month with 31 days.
      ...(data.earlier ? [{ label: `Period before (${daysText(daysBefore)})`, isBefore: true, values: data.now.map((/** @type {any} */ _, /** @type {number} */ index) => data.earlier[index]?.unique_users ?? null) }] : []),
      { label: "People", values: data.now.map((/** @type {any} */ one) => one.unique_users) },
    ]} />`}<//>`;
}

/**
 * The windows in which new people are counted: as small as the question allows, and whole weeks or months.
 * @param {Days} days
 * @returns {{ type: "day" | "week" | "month", start: string, cohorts: number }}
 */
function windowsOf(days) {
  if (length(days) <= MAX_WINDOWS) return { type: "day", start: days.from, cohorts: length(days) };
  const weeks = Math.ceil(length({ from: monday(days.from), to: days.to }) / 7);
  if (weeks <= MAX_WINDOWS) return { type: "week", start: monday(days.from), cohorts: weeks };
  const start = firstOfMonth(days.from);
  const months = (Number(days.to.slice(0, 4)) - Number(start.slice(0, 4))) * 12 + Number(days.to.slice(5, 7)) - Number(start.slice(5, 7)) + 1;
  return { type: "month", start, cohorts: Math.min(MAX_WINDOWS, months) };
}

/** @param {{ days: Days, fixedLink: string }} props */
function NewAndReturning({ days, fixedLink }) {
  const { type, start, cohorts } = windowsOf(days);
  const params = { start_date: start, window_type: type, cohorts, windows: 1 };
  const answer = useAsk(async (signal) => {
    const [all, fresh] = await Promise.all([get("/stats/retention", params, { signal }), get("/stats/retention", { ...params, cohort: "new" }, { signal })]);
    const counts = all.data.map((/** @type {any} */ one, /** @type {number} */ index) => ({ at: one.cohort_date, all: one.users_count, fresh: fresh.data[index]?.users_count ?? 0 }));
    return { type, counts };
  }, [JSON.stringify(params)]);
  return html`<${Answered} answer=${answer} height=${HEIGHT + 110}>${(/** @type {any} */ data) => html`<${ChartCard}
    title="New and returning people" name="new-and-returning" kind="columns" height=${HEIGHT} axisFormat=${short} fixedLink=${fixedLink}
    note="New: no event of any kind before" question=${{ path: "/stats/retention", params: { ...params, cohort: "new" } }}
    points=${pointsOf(data.counts.map((/** @type {any} */ one) => one.at), data.type)}
    lines=${[
      { label: "Returning", values: data.counts.map((/** @type {any} */ one) => one.all - one.fresh) },
      { label: "New", color: "--series-3", values: data.counts.map((/** @type {any} */ one) => one.fresh) },
    ]} />`}<//>`;
}

/** @param {{ days: Days, daysBefore: Days, isCompared: boolean }} props */
function TopEvents({ days, daysBefore, isCompared }) {
  const params = { ...days, limit: 10 };
  const answer = useAsk(async (signal) => {
    const [now, earlier, all] = await Promise.all([
      get("/stats/top-events", params, { signal }),
      isCompared ? get("/stats/top-events", { ...daysBefore, limit: 100 }, { signal }) : null,
      events(days, signal),
    ]);
    const counts = earlier && new Map(earlier.data.map((/** @type {any} */ one) => [one.event_type, one.count]));
    return { all, rows: now.data.map((/** @type {any} */ one) => ({ ...one, before: counts?.get(one.event_type) ?? (counts ? 0 : null) })) };
  }, [JSON.stringify(params), isCompared]);
  const columns = [
    { label: "event_type", value: (/** @type {any} */ row) => row.event_type },
    { label: "count", value: (/** @type {any} */ row) => row.count },
  ];
  return html`<${Card} title="Top events" actions=${html`<${Export} name="top-events" columns=${columns} rows=${answer.data?.rows ?? []} question=${{ path: "/stats/top-events", params }} />`}>
    <${Answered} answer=${answer} height=${HEIGHT + 40} isEmpty=${(/** @type {any} */ data) => data.rows.length === 0} empty=${html`<${Empty} title="No events in this period" />`}>
      ${(/** @type {any} */ data) => html`<${BarList} caption=${`Top events, ${daysText(days)}, ${zone()}`} unit="events" total=${data.all}
        rows=${data.rows.map((/** @type {any} */ row) => ({
          name: row.event_type, value: row.count, href: href("trends", { event_type: row.event_type, period: fixed(days) }),
          ...(row.before !== null && { compared: html`<${Change} now=${row.count} before=${row.before} than="the period before" isShort=${true} />` }),
        }))} />`}
    <//>
  <//>`;
}
