// Sessions in tables: their columns on screen and in CSV.

import { duration, Num, Time } from "../format.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";
import { Id } from "./controls.js";

/** @typedef {import("../types.js").SessionRow} SessionRow */

/**
 * From the first event of a session to its latest.
 * @param {SessionRow} session
 */
export function secondsOf(session) {
  return (Date.parse(session.last_event_at) - Date.parse(session.started_at)) / 1000;
}

/**
 * @param {readonly string[]} [hidden] keys of columns that say the same in every row
 * @returns {import("./data_table.js").Column<SessionRow>[]}
 */
export function sessionColumns(hidden = []) {
  /** @type {import("./data_table.js").Column<SessionRow>[]} */
  const columns = [
    { key: "session_id", label: "Session", isWide: true, show: (row) => html`<${Id} text=${row.session_id} href=${href("session-timeline", { id: row.session_id })} />` },
    { key: "user_id", label: "User", show: (row) => html`<${Id} text=${row.user_id} href=${row.user_id === null ? undefined : href("user", { id: row.user_id })} />` },
    { key: "started_at", label: `Started (${zone()})`, show: (row) => html`<${Time} at=${row.started_at} zone=${zone()} />` },
    { key: "last_event_at", label: "Latest event", show: (row) => html`<${Time} at=${row.last_event_at} zone=${zone()} />` },
    { key: "duration", label: "Duration", isNumber: true, show: (row) => duration(secondsOf(row)) },
    { key: "events", label: "Events", isNumber: true, show: (row) => html`<${Num} value=${row.events} unit="events" />` },
  ];
  return columns.filter((column) => !hidden.includes(column.key));
}

/** @type {import("../csv.js").CsvColumn<SessionRow>[]} */
export const SESSION_CSV = (/** @type {const} */ (["session_id", "user_id", "started_at", "last_event_at", "events"])).map((label) => ({ label, value: (row) => row[label] }));
