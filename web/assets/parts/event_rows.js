// Events in tables: their columns on screen and in CSV.

import { Time } from "../format.js";
import { scalar } from "../json.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";
import { Id } from "./controls.js";

/** @typedef {import("../types.js").Event} Event */

/** Properties that fit into a line. */
const SHOWN_PROPERTIES = 8;
/** Longest value in a line, in characters. */
const MAX_CHARACTERS = 60;

/**
 * The one who is counted for an event.
 * @param {Event} event
 */
export function userOf(event) {
  return event.user_id ?? event.anonymous_id ?? event.session_id ?? "";
}

/**
 * What distinguishes events that are in one list: an id may be there again on another day.
 * @param {Event} event
 */
export function keyOf(event) {
  return `${event.occurred_at} ${event.event_id}`;
}

/**
 * The properties in one line: "plan: pro · cart: {…}".
 * @param {Record<string, unknown>} properties
 */
export function inOneLine(properties) {
  const entries = Object.entries(properties);
  const parts = entries.slice(0, SHOWN_PROPERTIES).map(([name, value]) => `${name}: ${brief(value)}`);
  return parts.join(" · ") + (entries.length > SHOWN_PROPERTIES ? " · …" : "");
}

/** @param {unknown} value */
function brief(value) {
  const text = scalar(value);
  if (text === null) return Array.isArray(value) ? `[${value.length}]` : "{…}";
  const characters = [...text.slice(0, 2 * MAX_CHARACTERS)];
  return characters.length > MAX_CHARACTERS ? `${characters.slice(0, MAX_CHARACTERS).join("")}…` : text;
}

/**
 * The columns of a list of events. The type is the link to the event.
 * @param {(event: Event) => string} hrefOf
 * @param {readonly string[]} [hidden] keys of columns that say the same in every row
 * @returns {import("./data_table.js").Column<Event>[]}
 */
export function eventColumns(hrefOf, hidden = []) {
  /** @type {import("./data_table.js").Column<Event>[]} */
  const columns = [
    { key: "occurred_at", label: `Time (${zone()})`, show: (event) => html`<${Time} at=${event.occurred_at} zone=${zone()} />` },
    { key: "event_type", label: "Event", show: (event) => html`<${Id} text=${event.event_type} href=${hrefOf(event)} />` },
    { key: "user", label: "User", show: (event) => html`<${Id} text=${userOf(event)} href=${href("user", { id: userOf(event) })} />` },
    { key: "session", label: "Session", show: (event) => html`<${Id} text=${event.session_id} href=${event.session_id === null ? undefined : href("session-timeline", { id: event.session_id })} />` },
    { key: "account", label: "Account", show: (event) => html`<${Id} text=${event.account_id} href=${event.account_id === null ? undefined : href("account", { id: event.account_id })} />` },
    { key: "properties", label: "Properties", isWide: true, show: (event) => html`<span class="quiet"><bdi>${inOneLine(event.properties)}</bdi></span>` },
  ];
  return columns.filter((column) => !hidden.includes(column.key));
}

/**
 * All fields of an event, as in the API's own CSV.
 * @type {import("../csv.js").CsvColumn<Event>[]}
 */
export const EVENT_CSV = [
  ...(/** @type {const} */ (["event_id", "event_type", "user_id", "anonymous_id", "session_id", "account_id", "occurred_at", "received_at"])).map((label) => ({
    label, value: (/** @type {Event} */ event) => event[label],
  })),
  { label: "properties", value: (event) => JSON.stringify(event.properties) },
];
