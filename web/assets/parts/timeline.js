// Events of a user or a session as a timeline: when, how long after the one before, what.

import { dayOf, localTime } from "../clock.js";
import { duration, full, longDay } from "../format.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html, useMemo } from "../view.js";
import { Id } from "./controls.js";
import { DataTable } from "./data_table.js";
import { inOneLine, keyOf } from "./event_rows.js";

/** @typedef {import("../types.js").Event} Event */

/** A pause this long is shown as one. Elsewhere it is usual to let a session end after it. */
const PAUSE_SECONDS = 1800;
const COLORS = 8;

/**
 * @param {object} props
 * @param {string} props.caption
 * @param {readonly Event[]} props.events
 * @param {boolean} props.isDescending
 * @param {boolean} [props.hasSessions] whether the sessions of the events are shown
 * @param {number} [props.height]
 */
export function Timeline({ caption, events, isDescending, hasSessions, height = 640 }) {
  const rows = useMemo(() => entries(events, isDescending), [events, isDescending]);
  /** @typedef {(typeof rows)[number]} Row */
  const columns = [
    { key: "day", label: `Day (${zone()})`, show: (/** @type {Row} */ row) => (row.isNewDay ? html`<b>${longDay(row.day)}</b>` : html`<span class="unseen">${longDay(row.day)}</span>`) },
    { key: "time", label: "Time", show: (/** @type {Row} */ row) => html`<time datetime=${row.event.occurred_at} title=${row.event.occurred_at}>${row.time}</time>` },
    { key: "after", label: "After the one before", isNumber: true, show: (/** @type {Row} */ row) => (row.seconds === null ? "" : html`<span class=${row.seconds >= PAUSE_SECONDS ? "pause" : "quiet"} title=${`${full(row.seconds)} seconds`}>+ ${duration(row.seconds)}</span>`) },
    { key: "type", label: "Event", show: (/** @type {Row} */ row) => html`<span class="rail" aria-hidden="true"><i style=${{ background: `var(--series-${row.color})` }}></i></span><${Id} text=${row.event.event_type} href=${href("event", { event_id: row.event.event_id })} />` },
    ...(hasSessions ? [{ key: "session", label: "Session", show: (/** @type {Row} */ row) => html`<${Id} text=${row.event.session_id} href=${row.event.session_id === null ? undefined : href("session-timeline", { id: row.event.session_id })} />` }] : []),
    { key: "properties", label: "Properties", isWide: true, show: (/** @type {Row} */ row) => html`<span class="quiet"><bdi>${inOneLine(row.event.properties)}</bdi></span>` },
  ];
  return html`<div class="timeline"><${DataTable} caption=${caption} columns=${columns} rows=${rows} rowKey=${(/** @type {Row} */ row) => keyOf(row.event)} height=${height}
    rowClass=${(/** @type {Row} */ row) => (row.isNewDay ? "new-day" : "")} /></div>`;
}

/**
 * @param {readonly Event[]} events
 * @param {boolean} isDescending
 */
function entries(events, isDescending) {
  /** @type {Map<string, number>} */
  const colors = new Map();
  let day = "";
  return events.map((event, index) => {
    const earlier = events[isDescending ? index + 1 : index - 1];
    const here = dayOf(event.occurred_at, zone());
    const isNewDay = here !== day;
    day = here;
    if (!colors.has(event.event_type)) colors.set(event.event_type, (colors.size % COLORS) + 1);
    return {
      event, day: here, isNewDay, color: colors.get(event.event_type), time: localTime(Date.parse(event.occurred_at), zone()).slice(11),
      seconds: earlier ? (Date.parse(event.occurred_at) - Date.parse(earlier.occurred_at)) / 1000 : null,
    };
  });
}
