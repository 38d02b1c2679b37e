// Half a year as a calendar: a column for each week, a row for each day of the week, darker where more happened. It is
// a table, so a screen reader can read it, and the arrow keys move from day to day.

import { count, longDay, month } from "../format.js";
import { addDays, length } from "../period.js";
import { html, useLayoutEffect, useRef, useState } from "../view.js";

const WEEKDAYS = /** @type {const} */ (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
/** Shades of active days. */
const SHADES = 4;

/**
 * @param {object} props
 * @param {string} props.caption
 * @param {import("../active_days.js").ActiveDays} props.days
 * @param {string} props.today
 * @param {string} props.chosen a day; "" if none is
 * @param {(day: string) => string} props.hrefOf shows one day
 */
export function Calendar({ caption, days, today, chosen, hrefOf }) {
  const { from, to, counts, readFrom } = days;
  const room = useRef(/** @type {HTMLElement | null} */ (null));
  // Only one day is reached by the tab key; the others by arrows from it.
  const active = [...counts.keys()].sort();
  const [reached, setReached] = useState("");
  const entry = counts.has(reached) ? reached : counts.has(chosen) ? chosen : active.at(-1);
  const most = Math.max(1, ...counts.values());
  const weeks = Array.from({ length: Math.ceil(length({ from, to }) / 7) }, (_, week) => addDays(from, 7 * week));
  useLayoutEffect(() => {
    // Where there is little room, the latest weeks are in view.
    if (room.current) room.current.scrollLeft = room.current.scrollWidth;
  }, [from]);
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    const day = event.target instanceof HTMLElement ? event.target.dataset.day : undefined;
    const step = { ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!day || step === undefined) return;
    event.preventDefault();
    // Over the days without events to the next one with some: first in the same direction, then in time.
    let next = addDays(day, step);
    while (next >= from && next <= to && !counts.has(next)) next = addDays(next, step);
    if (!counts.has(next)) next = (step < 0 ? active.filter((one) => one < day).at(-1) : active.find((one) => one > day)) ?? day;
    setReached(next);
    /** @type {HTMLElement | null | undefined} */ (room.current?.querySelector(`[data-day="${next}"]`))?.focus();
  };
  return html`<div class="table-room calendar-room" ref=${room} onKeyDown=${press} role="region" tabindex="0" aria-label=${caption}>
    <table class="calendar">
      <caption class="unseen">${caption}</caption>
      <thead><tr><td></td>${weeks.map((week, index) => html`<th scope="col" key=${week}><span class="unseen">Week of ${longDay(week)}</span>${isMonthHead(weeks, index) && html`<span class="calendar-month" aria-hidden="true">${month(week).slice(0, 3)}</span>`}</th>`)}</tr></thead>
      <tbody>${WEEKDAYS.map((name, weekday) => html`<tr key=${name}>
        <th scope="row">${name}</th>
        ${weeks.map((week) => html`<${Day} key=${week} day=${addDays(week, weekday)} to=${to} today=${today} count=${counts.get(addDays(week, weekday)) ?? 0} most=${most}
          isRead=${readFrom === null || addDays(week, weekday) >= readFrom} isChosen=${addDays(week, weekday) === chosen} isEntry=${addDays(week, weekday) === entry} hrefOf=${hrefOf} />`)}
      </tr>`)}</tbody>
    </table>
  </div>`;
}

/**
 * @param {{ day: string, to: string, today: string, count: number, most: number, isRead: boolean, isChosen: boolean, isEntry: boolean, hrefOf: (day: string) => string }} props
 */
function Day({ day, to, today, count: events, most, isRead, isChosen, isEntry, hrefOf }) {
  if (day > to) return html`<td></td>`;
  const soFar = day === today ? ", so far" : "";
  if (events === 0) return html`<td><span class=${isRead ? "day" : "day unread"} title=${isRead ? `${longDay(day)}: no events${soFar}` : `${longDay(day)}: not counted`}><span class="unseen">${isRead ? "0" : "not counted"}</span></span></td>`;
  const text = `${longDay(day)}: ${isRead ? "" : "at least "}${count(events, "event")}${soFar}`;
  const shade = Math.min(SHADES, Math.ceil((events / most) * SHADES));
  return html`<td><a class=${`day shade-${shade} ${isRead ? "" : "unread"}`} data-day=${day} href=${hrefOf(day)} tabindex=${isEntry ? "0" : "-1"} aria-label=${text} title=${text} aria-current=${isChosen ? "date" : undefined}></a></td>`;
}

/**
 * Whether the name of the month is written above a week: where a month begins, if there is room.
 * @param {readonly string[]} weeks
 * @param {number} index
 */
function isMonthHead(weeks, index) {
  const week = weeks[index] ?? "";
  return index < weeks.length - 1 && (index === 0 ? Number(week.slice(8)) <= 14 : week.slice(0, 7) !== weeks[index - 1]?.slice(0, 7));
}
