// One session: its events in order, and how much time was between them.

import { segment } from "../api.js";
import { useAnswer } from "../answer.js";
import { count, duration, Num, Time } from "../format.js";
import { exact } from "../json.js";
import { useList } from "../list.js";
import { Choice, Id } from "../parts/controls.js";
import { EventStrip } from "../parts/event_strip.js";
import { EVENT_CSV } from "../parts/event_rows.js";
import { More } from "../parts/more.js";
import { NoSubject } from "../parts/no_subject.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { secondsOf } from "../parts/session_rows.js";
import { Answered, Empty } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";
import { href, useParams } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").Event} Event */
/** @typedef {import("../types.js").SessionRow} SessionRow */

const DEFAULTS = { id: "", order: "asc" };
const ORDERS = /** @type {const} */ ([["asc", "Earliest first"], ["desc", "Latest first"]]);
const HEIGHT = 640;

export default function SessionPage() {
  const [view] = useParams(DEFAULTS);
  if (view.id === "") return html`<${Page} title="Session"><${NoSubject} one="session" page="session-timeline" list="sessions" /><//>`;
  return html`<${Session} key=${view.id} id=${view.id} />`;
}

/** @param {{ id: string }} props */
function Session({ id }) {
  const [view, change] = useParams(DEFAULTS);
  const name = segment(id);
  const order = view.order === "desc" ? "desc" : "asc";
  const isAsked = name !== null;
  const session = useAnswer(isAsked ? `/sessions/${name}` : null);
  // Ids that cannot be a part of a path are asked for by the filter.
  const path = isAsked ? `/sessions/${name}/events` : "/events";
  const params = isAsked ? { order } : { session_id: id, order };
  const list = useList(path, params, { parse: exact });
  const isMissing = session.problem?.kind === "missing";
  const actions = html`<${Choice} label="Order" value=${order} options=${ORDERS} onChange=${(/** @type {string} */ to) => change({ order: to })} />
    <${Export} name="session" columns=${EVENT_CSV} rows=${list.data ?? []} question=${{ path, params: { ...params, limit: 1000 } }} />`;
  return html`<${Page} title="Session" subject=${id}>
    ${isAsked && !isMissing && html`<${Answered} answer=${session} height=${104}>${(/** @type {SessionRow} */ row) => html`<${Stats} row=${row} />`}<//>`}
    <${Card} title="Timeline" actions=${actions}>
      <${Answered} answer=${list} height=${HEIGHT} isEmpty=${(/** @type {Event[]} */ rows) => rows.length === 0 && !list.hasMore}
        empty=${html`<${Empty} title="There is no such session"><p>No stored event has this session_id.</p><p><a href=${href("sessions")}>All sessions</a></p><//>`}>
        ${(/** @type {Event[]} */ rows) => html`
          ${!list.hasMore && html`<${EventStrip} events=${rows} />`}
          <${Timeline} caption="Events of the session" events=${rows} isDescending=${order === "desc"} height=${HEIGHT} />
          <${More} list=${list} one="event" />`}
      <//>
    <//>
  <//>`;
}

/** @param {{ row: SessionRow }} props */
function Stats({ row }) {
  const seconds = secondsOf(row);
  return html`<div class="stats five">
    <${Stat} label="User" value=${html`<span class="stat-text"><${Id} text=${row.user_id} href=${row.user_id === null ? undefined : href("user", { id: row.user_id })} /></span>`} />
    <${Stat} label="Events" value=${html`<${Num} value=${row.events} unit="events" />`} />
    <${Stat} label="Duration" value=${html`<span class="stat-text">${duration(seconds)}</span>`} title="From the first event to the latest" note=${row.events > 1 ? `${duration(seconds / (row.events - 1))} between events on average` : count(row.events, "event")} />
    <${Stat} label="Started" value=${html`<span class="stat-text"><${Time} at=${row.started_at} zone=${zone()} /></span>`} note=${zone()} />
    <${Stat} label="Latest event" value=${html`<span class="stat-text"><${Time} at=${row.last_event_at} zone=${zone()} /></span>`} note=${zone()} />
  </div>`;
}
