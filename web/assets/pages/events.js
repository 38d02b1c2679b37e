// The events themselves: filtered, page by page, and each with its details beside the list.

import { exact } from "../json.js";
import { useList } from "../list.js";
import { Choice } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { EventBeside } from "../parts/event_beside.js";
import { eventColumns, EVENT_CSV, keyOf } from "../parts/event_rows.js";
import { EventTypes, Filters } from "../parts/filters.js";
import { IdFilter, suggestAccounts, suggestUsers } from "../parts/id_filter.js";
import { More } from "../parts/more.js";
import { Nothing } from "../parts/nothing.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered } from "../parts/states.js";
import { fixedRange, spanOf, TimeRange } from "../parts/time_range.js";
import { go, href, useParams } from "../route.js";
import { html, useMemo, useState } from "../view.js";

/** @typedef {import("../types.js").Event} Event */

// `shown` is the id of the event whose details are shown, and `at` its time: an id may be there on several days.
const DEFAULTS = { period: "", event_type: "", user_id: "", session_id: "", account_id: "", event_id: "", where: [], order: "desc", shown: "", at: "" };
const ORDERS = /** @type {const} */ ([["desc", "Latest first"], ["asc", "Earliest first"]]);
const HEIGHT = 720;

export default function EventsPage() {
  const [view, change] = useParams(DEFAULTS);
  const [turn, setTurn] = useState(0);
  const { shown, at, period, where, ...ids } = view;
  // "The last hour" ends when it is asked for, not when something is drawn again.
  const span = useMemo(() => spanOf(period), [period, turn]);
  const order = view.order === "asc" ? "asc" : "desc";
  const params = { ...ids, order, ...span, where };
  const list = useList("/events", params, { parse: exact, on: turn });
  const filters = [ids.event_type, ids.user_id, ids.session_id, ids.account_id, ids.event_id].filter((value) => value !== "").length + where.length;
  const fixedLink = href("events", { ...ids, order: order === "desc" ? "" : order, where, period: fixedRange(period) });
  /** @param {Event} event */
  const hrefOf = (event) => href("events", { ...ids, order: order === "desc" ? "" : order, where, period, shown: event.event_id, at: event.occurred_at });
  const isShown = (/** @type {Event} */ event) => event.event_id === shown && (at === "" || event.occurred_at === at);
  const controls = html`
    <${TimeRange} value=${period} onChange=${(/** @type {string} */ to) => change({ period: to, shown: "", at: "" })} />
    <span class="push"></span>
    <${Choice} label="Order" value=${order} options=${ORDERS} onChange=${(/** @type {string} */ to) => change({ order: to })} />
    <button type="button" class="small" onClick=${() => setTurn(turn + 1)}>Refresh</button>`;
  return html`<${Page} title="Events" controls=${controls}>
    <div class="controls" role="group" aria-label="Which events are listed">
      <${EventTypes} max=${1} value=${ids.event_type === "" ? [] : [ids.event_type]} onChange=${(/** @type {string[]} */ types) => change({ event_type: types[0] ?? "" })} />
      <${IdFilter} label="User" value=${ids.user_id} suggest=${suggestUsers} onChange=${(/** @type {string} */ user_id) => change({ user_id })} />
      <${IdFilter} label="Account" value=${ids.account_id} suggest=${suggestAccounts} onChange=${(/** @type {string} */ account_id) => change({ account_id })} />
      <${IdFilter} label="Session" value=${ids.session_id} onChange=${(/** @type {string} */ session_id) => change({ session_id })} />
      <${IdFilter} label="Event id" value=${ids.event_id} onChange=${(/** @type {string} */ event_id) => change({ event_id })} />
      <${Filters} value=${where} eventTypes=${ids.event_type === "" ? [] : [ids.event_type]} onChange=${(/** @type {string[]} */ to) => change({ where: to })} />
    </div>
    <div class=${shown ? "beside open" : "beside"}>
      <${Card} title="Events" actions=${html`<${Export} name="events" columns=${EVENT_CSV} rows=${list.data ?? []} question=${{ path: "/events", params: { ...params, limit: 1000 } }} fixedLink=${fixedLink} />`}>
        <${Answered} answer=${list} height=${HEIGHT} isEmpty=${(/** @type {Event[]} */ rows) => rows.length === 0 && !list.hasMore} empty=${html`<${Nothing} isFiltered=${filters > 0} what=${period === "" ? "events" : "events in this time"} />`}>
          ${(/** @type {Event[]} */ rows) => html`
            <${DataTable} caption="List of events" columns=${eventColumns(hrefOf)} rows=${rows} rowKey=${keyOf} height=${HEIGHT} rowClass=${(/** @type {Event} */ event) => (isShown(event) ? "chosen" : "")} onRow=${(/** @type {Event} */ event) => go(hrefOf(event))} />
            <${More} list=${list} one="event" />`}
        <//>
      <//>
      ${shown && html`<${EventBeside} id=${shown} at=${at} rows=${list.data ?? []} hrefOf=${hrefOf} onClose=${() => change({ shown: "", at: "" })} />`}
    </div>
  <//>`;
}
