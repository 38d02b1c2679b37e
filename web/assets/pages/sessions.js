// The sessions that clients sent, the latest activity first.

import { useList } from "../list.js";
import { DataTable } from "../parts/data_table.js";
import { IdFilter, suggestUsers } from "../parts/id_filter.js";
import { More } from "../parts/more.js";
import { Nothing } from "../parts/nothing.js";
import { Card, Export, Page } from "../parts/page.js";
import { sessionColumns, SESSION_CSV } from "../parts/session_rows.js";
import { Answered } from "../parts/states.js";
import { fixedRange, spanOf, TimeRange } from "../parts/time_range.js";
import { go, href, useParams } from "../route.js";
import { html, useMemo, useState } from "../view.js";

/** @typedef {import("../types.js").SessionRow} SessionRow */

const DEFAULTS = { period: "", user_id: "" };
const HEIGHT = 720;

export default function SessionsPage() {
  const [view, change] = useParams(DEFAULTS);
  const [turn, setTurn] = useState(0);
  const span = useMemo(() => spanOf(view.period), [view.period, turn]);
  const params = { user_id: view.user_id, ...span };
  const list = useList("/sessions", params, { on: turn });
  const controls = html`
    <${TimeRange} label="Latest event" value=${view.period} onChange=${(/** @type {string} */ period) => change({ period })} />
    <${IdFilter} label="User" value=${view.user_id} suggest=${suggestUsers} onChange=${(/** @type {string} */ user_id) => change({ user_id })} />
    <span class="push"></span>
    <button type="button" class="small" onClick=${() => setTurn(turn + 1)}>Refresh</button>`;
  const fixedLink = href("sessions", { user_id: view.user_id, period: fixedRange(view.period) });
  return html`<${Page} title="Sessions" about="A session is all events with the same session_id. The latest activity comes first." controls=${controls}>
    <${Card} title="Sessions" actions=${html`<${Export} name="sessions" columns=${SESSION_CSV} rows=${list.data ?? []} question=${{ path: "/sessions", params: { ...params, limit: 1000 } }} fixedLink=${fixedLink} />`}>
      <${Answered} answer=${list} height=${HEIGHT} isEmpty=${(/** @type {SessionRow[]} */ rows) => rows.length === 0 && !list.hasMore}
        empty=${html`<${Nothing} isFiltered=${view.user_id !== ""} what=${view.period === "" ? "events with a session_id" : "sessions in this time"} />`}>
        ${(/** @type {SessionRow[]} */ rows) => html`
          <${DataTable} caption="List of sessions" columns=${sessionColumns()} rows=${rows} rowKey=${(/** @type {SessionRow} */ row) => row.session_id} height=${HEIGHT} onRow=${(/** @type {SessionRow} */ row) => go(href("session-timeline", { id: row.session_id }))} />
          <${More} list=${list} one="session" />`}
      <//>
    <//>
  <//>`;
}
