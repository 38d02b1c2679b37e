// One account: what its people did, who did most, and its latest events.

import { segment } from "../api.js";
import { useAnswer } from "../answer.js";
import { Num } from "../format.js";
import { exact } from "../json.js";
import { BarList } from "../parts/bar_list.js";
import { Choice } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { eventColumns, EVENT_CSV, keyOf } from "../parts/event_rows.js";
import { NoSubject } from "../parts/no_subject.js";
import { Message } from "../parts/notice.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { daysOf, PeriodPicker } from "../parts/period_picker.js";
import { Answered, Empty } from "../parts/states.js";
import { fixed } from "../period.js";
import { go, href, useParams } from "../route.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").AccountSummary} AccountSummary */
/** @typedef {import("../types.js").Event} Event */

// With the window "days", the period counts.
const DEFAULTS = { id: "", window: "last_7d", period: "30d" };
const WINDOWS = /** @type {const} */ ([["last_24h", "24 hours"], ["last_7d", "7 days"], ["last_30d", "30 days"], ["days", "Days …"]]);
/** The ranges of the page of events. */
const RANGES = /** @type {Record<string, string>} */ ({ last_24h: "24h", last_7d: "168h", last_30d: "720h" });
/** Types that are shown as bars; the table of the rest is one click away. */
const BARS = 12;
const LATEST = 10;

export default function AccountPage() {
  const [view, change] = useParams(DEFAULTS);
  const { id } = view;
  const name = segment(id);
  const window = WINDOWS.some(([one]) => one === view.window) ? view.window : DEFAULTS.window;
  const days = daysOf(view.period);
  const params = window === "days" ? { ...days } : { window };
  const path = `/accounts/${name}/summary`;
  const answer = useAnswer(id === "" || name === null ? null : path, params);
  if (id === "") return html`<${Page} title="Account"><${NoSubject} one="account" page="account" list="accounts" /><//>`;
  const range = RANGES[window] ?? (view.period === DEFAULTS.period ? view.period : fixed(days));
  const controls = html`
    <${Choice} label="Time" value=${window} options=${WINDOWS} onChange=${(/** @type {string} */ to) => change({ window: to })} />
    ${window === "days" && html`<${PeriodPicker} value=${view.period} onChange=${(/** @type {string} */ period) => change({ period })} />`}`;
  return html`<${Page} title="Account" subject=${id} controls=${controls}>
    ${name === null
      ? html`<${Message}><p>An account with this id has no summary, because the id cannot be a part of an address.</p><//>`
      : html`<${Answered} answer=${answer} height=${520}>${(/** @type {AccountSummary} */ summary) => html`<${Summary} summary=${summary} range=${range} question=${{ path, params }} />`}<//>`}
    <${Latest} id=${id} />
  <//>`;
}

/** @param {{ summary: AccountSummary, range: string, question: any }} props */
function Summary({ summary, range, question }) {
  const totals = Object.entries(summary.totals).map(([type, events]) => ({ type, events })).sort((a, b) => b.events - a.events || (a.type < b.type ? -1 : 1));
  const all = totals.reduce((sum, one) => sum + one.events, 0);
  const id = summary.account_id;
  const typeCsv = [{ label: "event_type", value: (/** @type {any} */ row) => row.type }, { label: "events", value: (/** @type {any} */ row) => row.events }];
  const userCsv = [{ label: "user_id", value: (/** @type {any} */ row) => row.user_id }, { label: "events", value: (/** @type {any} */ row) => row.events }];
  const none = html`<${Empty} title="No events in this time"><p>Choose a longer time.</p><//>`;
  return html`
    <div class="stats">
      <${Stat} label="Events" value=${html`<${Num} value=${all} unit="events" />`} />
      <${Stat} label="Event types" value=${html`<${Num} value=${totals.length} unit="event types" />`} />
    </div>
    <div class="grid">
      <${Card} title="Events by type" note=${totals.length > BARS ? `The ${BARS} most frequent of ${totals.length}; the CSV has all` : undefined} actions=${html`<${Export} name="account-events" columns=${typeCsv} rows=${totals} question=${question} />`}>
        ${totals.length === 0 ? none : html`<${BarList} caption="Events by type" unit="events" total=${all}
          rows=${totals.slice(0, BARS).map(({ type, events }) => ({ name: type, value: events, href: href("events", { account_id: id, event_type: type, period: range }) }))} />`}
      <//>
      <${Card} title="Most active users" note="The ten with most events" actions=${html`<${Export} name="account-users" columns=${userCsv} rows=${summary.top_users} question=${question} />`}>
        ${summary.top_users.length === 0 ? none : html`<${BarList} caption="Most active users" unit="events" total=${all}
          rows=${summary.top_users.map((user) => ({ name: user.user_id, value: user.events, href: href("user", { id: user.user_id }) }))} />`}
      <//>
    </div>`;
}

/** @param {{ id: string }} props */
function Latest({ id }) {
  const params = { account_id: id, limit: LATEST };
  const answer = useAnswer("/events", params, { parse: exact });
  const hrefOf = (/** @type {Event} */ event) => href("event", { event_id: event.event_id });
  return html`<${Card} title="Latest events" actions=${html`<a class="note" href=${href("events", { account_id: id })}>All events</a><${Export} name="account-latest-events" columns=${EVENT_CSV} rows=${answer.data?.data ?? []} question=${{ path: "/events", params }} />`}>
    <${Answered} answer=${answer} height=${36 * (LATEST + 1)} isEmpty=${(/** @type {import("../types.js").Page<Event>} */ page) => page.data.length === 0} empty=${html`<${Empty} title="No events of this account" />`}>
      ${(/** @type {import("../types.js").Page<Event>} */ page) => html`<${DataTable} caption="List of the latest events" columns=${eventColumns(hrefOf, ["account"])} rows=${page.data} rowKey=${keyOf} onRow=${(/** @type {Event} */ event) => go(hrefOf(event))} />`}
    <//>
  <//>`;
}
