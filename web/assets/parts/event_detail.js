// One event with everything that is known about it.

import { duration, Time } from "../format.js";
import { paths, pretty, scalar } from "../json.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";
import { Copy, Id } from "./controls.js";
import { userOf } from "./event_rows.js";
import { PipelineState } from "./pipeline_state.js";

/** @typedef {import("../types.js").Event} Event */

/** Longest value of a filter, in bytes. */
const MAX_VALUE_BYTES = 1000;

/**
 * @param {{ event: Event }} props
 */
export function EventDetail({ event }) {
  const lateSeconds = (Date.parse(event.received_at) - Date.parse(event.occurred_at)) / 1000;
  return html`<div class="event-detail">
    <dl class="list">
      <dt>Event id</dt><dd><${Id} text=${event.event_id} href=${href("event", { event_id: event.event_id })} /></dd>
      <dt>Type</dt><dd><${Id} text=${event.event_type} href=${href("events", { event_type: event.event_type })} /></dd>
      <dt>User</dt><dd><${Id} text=${userOf(event)} href=${href("user", { id: userOf(event) })} />${event.user_id === null && html` <span class="quiet">${event.anonymous_id === null ? "the session" : "anonymous"}</span>`}</dd>
      ${event.user_id !== null && event.anonymous_id !== null && html`<dt>Anonymous id</dt><dd><${Id} text=${event.anonymous_id} /></dd>`}
      ${event.session_id !== null && html`<dt>Session</dt><dd><${Id} text=${event.session_id} href=${href("session-timeline", { id: event.session_id })} /></dd>`}
      ${event.account_id !== null && html`<dt>Account</dt><dd><${Id} text=${event.account_id} href=${href("account", { id: event.account_id })} /></dd>`}
      <dt>Happened</dt><dd><${Time} at=${event.occurred_at} zone=${zone()} /> <span class="quiet">${zone()}</span></dd>
      <dt>Received</dt><dd><${Time} at=${event.received_at} zone=${zone()} />${Math.abs(lateSeconds) >= 1 && html` <span class="quiet">${duration(Math.abs(lateSeconds))} ${lateSeconds > 0 ? "later" : "earlier, by the client's clock"}</span>`}</dd>
    </dl>
    <h3>Pipeline</h3>
    <${PipelineState} key=${event.event_id} eventId=${event.event_id} />
    <h3>Properties</h3>
    <${Properties} event=${event} />
  </div>`;
}

/** @param {{ event: Event }} props */
function Properties({ event }) {
  const all = paths(event.properties);
  const json = pretty(event.properties);
  if (all.length === 0) return html`<p class="quiet">None</p>`;
  return html`
    <div class="table-room" tabindex="0" role="region" aria-label="Properties"><table class="properties">
      <caption class="unseen">Properties by their paths, as filters name them</caption>
      <tbody>${all.map(({ path, value, isNamed }) => html`<tr key=${path}>
        <th scope="row"><bdi>${path}</bdi></th>
        <td>${scalar(value) === null ? html`<pre>${pretty(value)}</pre>` : html`<bdi class=${typeof value === "string" ? "" : "mono"}>${scalar(value)}</bdi>`}</td>
        <td>${isNamed && isFilter(value) && html`<a class="note" href=${href("events", { event_type: event.event_type, where: [`${path}:eq:${scalar(value)}`] })} aria-label=${`Find events with the same ${path}`} title="Events with the same value">Find</a>`}</td>
      </tr>`)}</tbody>
    </table></div>
    <details class="json"><summary>As JSON</summary><pre dir="ltr">${json}</pre></details>
    <p><${Copy} text=${json} label="Copy properties" /></p>`;
}

/**
 * Whether a filter can ask for a value.
 * @param {unknown} value
 */
function isFilter(value) {
  const text = scalar(value);
  return text !== null && text !== "" && value !== null && new TextEncoder().encode(text).length <= MAX_VALUE_BYTES;
}
