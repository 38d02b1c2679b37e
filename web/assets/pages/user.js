// One user: how active, on which days, in which sessions, and every event in order.

import { readActiveDays, calendarOf, WEEKS } from "../active_days.js";
import { now, segment } from "../api.js";
import { useAnswer, useAsk } from "../answer.js";
import { dayOf } from "../clock.js";
import { ago, count, days as daysText, longDay, Num, shortDay, Time } from "../format.js";
import { exact } from "../json.js";
import { useList } from "../list.js";
import { Calendar } from "../parts/calendar.js";
import { Choice } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { EVENT_CSV } from "../parts/event_rows.js";
import { Chip, EventTypes, Filters } from "../parts/filters.js";
import { More } from "../parts/more.js";
import { NoSubject } from "../parts/no_subject.js";
import { Message } from "../parts/notice.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { sessionColumns, SESSION_CSV } from "../parts/session_rows.js";
import { Answered, Empty } from "../parts/states.js";
import { Timeline } from "../parts/timeline.js";
import { addDays, isDay } from "../period.js";
import { go, href, useParams } from "../route.js";
import { today, zone } from "../session.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").Event} Event */
/** @typedef {import("../types.js").SessionRow} SessionRow */
/** @typedef {import("../types.js").UserSummary} UserSummary */
/** @typedef {import("../active_days.js").ActiveDays} ActiveDays */

// `day` shows the events of one day, and `until` is the last day of the calendar.
const DEFAULTS = { id: "", event_type: "", where: [], order: "desc", day: "", until: "" };
const ORDERS = /** @type {const} */ ([["desc", "Latest first"], ["asc", "Earliest first"]]);
const HEIGHT = 640;
const CALENDAR_HEIGHT = 230;
/** Sessions that are shown here; the page of sessions has them all. */
const SESSIONS = 5;

export default function UserPage() {
  const [view] = useParams(DEFAULTS);
  if (view.id === "") return html`<${Page} title="User"><${NoSubject} one="user" page="user" list="users" /><//>`;
  return html`<${User} key=${view.id} id=${view.id} />`;
}

/** @param {{ id: string }} props */
function User({ id }) {
  const name = segment(id);
  const user = useAnswer(name === null ? null : `/users/${name}`);
  if (user.problem?.kind === "missing") {
    return html`<${Page} title="User" subject=${id}><${Card}><${Empty} title="There is no such user"><p>No stored event has this user id. Ids of users distinguish capital and small letters.</p>
      <p><a href=${href("users")}>All users</a></p><//><//><//>`;
  }
  // Without a summary, the calendar ends today.
  const isKnown = user.data !== null || name === null || user.problem !== null;
  return html`<${Page} title="User" subject=${id}>
    ${name === null
      ? html`<${Message}><p>A user with this id has no summary, because the id cannot be a part of an address. Everything else is here.</p><//>`
      : html`<${Answered} answer=${user} height=${104}>${(/** @type {UserSummary} */ summary) => html`<${Stats} user=${summary} />`}<//>`}
    ${isKnown && html`<${Activity} id=${id} lastSeen=${user.data?.last_seen ?? null} />`}
    <${Sessions} id=${id} />
    <${Events} id=${id} />
  <//>`;
}

/** @param {{ user: UserSummary }} props */
function Stats({ user }) {
  const [first, last] = [dayOf(user.first_seen, zone()), dayOf(user.last_seen, zone())];
  return html`<div class="stats five">
    <${Stat} label="Events" value=${html`<${Num} value=${user.events} unit="events" />`} />
    <${Stat} label="Days active" value=${html`<${Num} value=${user.days_active} unit="days" />`} note=${first === last ? longDay(first) : daysText({ from: first, to: last })} />
    <${Stat} label="Sessions" value=${html`<${Num} value=${user.sessions} unit="sessions" />`} />
    <${Stat} label="First seen" value=${html`<span class="stat-text"><${Time} at=${user.first_seen} zone=${zone()} /></span>`} note=${ago(user.first_seen, now())} />
    <${Stat} label="Last seen" value=${html`<span class="stat-text"><${Time} at=${user.last_seen} zone=${zone()} /></span>`} note=${ago(user.last_seen, now())} />
  </div>`;
}

/** @param {{ id: string, lastSeen: string | null }} props */
function Activity({ id, lastSeen }) {
  const [view, change] = useParams(DEFAULTS);
  const current = today();
  const lastDay = lastSeen === null ? current : dayOf(lastSeen, zone());
  // Of somebody who has not been here for long, the calendar shows when that was.
  const usual = lastDay < calendarOf(current).from ? lastDay : current;
  const last = isDay(view.until) && view.until <= current ? view.until : usual;
  const days = calendarOf(last);
  const params = { user_id: id };
  const answer = useAsk((signal) => readActiveDays("/events", params, days, zone(), signal), [id, days.from, days.to]);
  /** @param {number} steps */
  const move = (steps) => {
    const to = addDays(last, 7 * WEEKS * steps);
    change({ until: to >= current ? (usual === current ? "" : current) : to });
  };
  // A second click on the day shows all days again.
  const hrefOf = (/** @type {string} */ day) => href("user", { ...view, order: view.order === DEFAULTS.order ? "" : view.order, day: day === view.day ? "" : day });
  const rows = answer.data ? [...answer.data.counts].map(([day, events]) => ({ day, events })).sort((a, b) => (a.day < b.day ? -1 : 1)) : [];
  const csv = [{ label: "day", value: (/** @type {any} */ row) => row.day }, { label: "events", value: (/** @type {any} */ row) => row.events }];
  const actions = html`
    <button type="button" class="small ghost" aria-label="Half a year earlier" title="Half a year earlier" onClick=${() => move(-1)}>‹</button>
    <button type="button" class="small ghost" aria-label="Half a year later" title="Half a year later" disabled=${last >= current} onClick=${() => move(1)}>›</button>
    <${Export} name="active-days" columns=${csv} rows=${rows} question=${{ path: "/events", params: { ...params, ...days, limit: 1000 } }} fixedLink=${href("user", { id, until: last })} />`;
  return html`<${Card} title="Days active" note=${html`${daysText(days)} <span class="quiet">${zone()}</span>`} actions=${actions}>
    <${Answered} answer=${answer} height=${CALENDAR_HEIGHT}>${(/** @type {ActiveDays} */ data) => html`
      <${Calendar} caption=${`Events by day, ${daysText(data)}`} days=${data} today=${current} chosen=${view.day} hrefOf=${hrefOf} />
      <p class="note">${count(data.counts.size, "active day")} in these ${WEEKS} weeks${data.readFrom === null ? "" : html`. Before ${shortDay(data.readFrom)}, days are not counted: there are too many events`}.</p>`}<//>
  <//>`;
}

/** @param {{ id: string }} props */
function Sessions({ id }) {
  const params = { user_id: id, limit: SESSIONS };
  const answer = useAnswer("/sessions", params);
  if (answer.data?.data.length === 0) return null;
  return html`<${Card} title="Latest sessions" actions=${html`<a class="note" href=${href("sessions", { user_id: id })}>All sessions</a><${Export} name="sessions" columns=${SESSION_CSV} rows=${answer.data?.data ?? []} question=${{ path: "/sessions", params }} />`}>
    <${Answered} answer=${answer} height=${36 * (SESSIONS + 1)}>${(/** @type {import("../types.js").Page<SessionRow>} */ page) => html`<${DataTable} caption="List of the latest sessions" columns=${sessionColumns(["user_id"])} rows=${page.data}
      rowKey=${(/** @type {SessionRow} */ row) => row.session_id} onRow=${(/** @type {SessionRow} */ row) => go(href("session-timeline", { id: row.session_id }))} />`}<//>
  <//>`;
}

/** @param {{ id: string }} props */
function Events({ id }) {
  const [view, change] = useParams(DEFAULTS);
  const order = view.order === "asc" ? "asc" : "desc";
  const day = isDay(view.day) ? view.day : "";
  const params = { user_id: id, event_type: view.event_type, where: view.where, order, ...(day && { from: day, to: day }) };
  const list = useList("/events", params, { parse: exact });
  const isFiltered = view.event_type !== "" || view.where.length > 0;
  const types = view.event_type === "" ? [] : [view.event_type];
  const actions = html`<${Choice} label="Order" value=${order} options=${ORDERS} onChange=${(/** @type {string} */ to) => change({ order: to })} />
    <${Export} name="timeline" columns=${EVENT_CSV} rows=${list.data ?? []} question=${{ path: "/events", params: { ...params, limit: 1000 } }} />`;
  return html`<${Card} title="Timeline" actions=${actions}>
    <div class="controls" role="group" aria-label="Which events are listed">
      <${EventTypes} max=${1} value=${types} onChange=${(/** @type {string[]} */ to) => change({ event_type: to[0] ?? "" })} />
      <${Filters} value=${view.where} eventTypes=${types} onChange=${(/** @type {string[]} */ where) => change({ where })} />
      ${day && html`<${Chip} label="On" text=${longDay(day)} name="Show all days" onRemove=${() => change({ day: "" })} />`}
    </div>
    <${Answered} answer=${list} height=${HEIGHT} isEmpty=${(/** @type {Event[]} */ rows) => rows.length === 0 && !list.hasMore} empty=${html`<${Empty} title=${isFiltered || day ? "Nothing matches this filter" : "No events of this user"} />`}>
      ${(/** @type {Event[]} */ rows) => html`
        <${Timeline} caption="Events of the user" events=${rows} isDescending=${order === "desc"} hasSessions=${true} height=${HEIGHT} />
        <${More} list=${list} one="event" />`}
    <//>
  <//>`;
}
