// Events as they are accepted. New rows never move what somebody is reading: while the pointer or the focus is in the
// list, a text in it is selected, it is scrolled, or the page is paused, they wait, and a button shows them.

import { now } from "../api.js";
import { follow } from "../event_stream.js";
import { count, full, Num, time, Time } from "../format.js";
import { Id } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { EventDetail } from "../parts/event_detail.js";
import { EVENT_CSV, inOneLine, userOf } from "../parts/event_rows.js";
import { suggestTypes } from "../parts/filters.js";
import { IdFilter, suggestUsers } from "../parts/id_filter.js";
import { Notice } from "../parts/notice.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { Sparkline } from "../parts/sparkline.js";
import { Empty, Skeleton } from "../parts/states.js";
import { href, useParams } from "../route.js";
import { may, zone } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CURVE_SECONDS, LiveLog, MAX_ROWS } from "./live_log.js";

/** @typedef {import("./live_log.js").Row} Row */
/** @typedef {import("../event_stream.js").StreamState} StreamState */

const DEFAULTS = { event_type: "", user_id: "", session_id: "" };
/** How often new rows are shown. More often, nobody could read them. */
const SETTLE_MS = 250;
const HEIGHT = 520;

export default function Live() {
  const [view, change] = useParams(DEFAULTS);
  const [turn, again] = useState(0);
  // Other filters are another stream, which begins with an empty list.
  return html`<${Page} title="Live" about=${html`Events as they are accepted, before they are stored. Times in <b>${zone()}</b>.`} controls=${html`<${Conditions} view=${view} change=${change} />`}>
    <${Log} key=${JSON.stringify([view, turn])} params=${view} onAgain=${() => again(turn + 1)} />
  <//>`;
}

/** @param {{ view: typeof DEFAULTS, change: (changes: Partial<typeof DEFAULTS>) => void }} props */
function Conditions({ view, change }) {
  return html`
    <${IdFilter} label="Event type" value=${view.event_type} suggest=${suggestTypes} onChange=${(/** @type {string} */ event_type) => change({ event_type })} />
    <${IdFilter} label="User" value=${view.user_id} suggest=${suggestUsers} onChange=${(/** @type {string} */ user_id) => change({ user_id })} />
    <${IdFilter} label="Session" value=${view.session_id} onChange=${(/** @type {string} */ session_id) => change({ session_id })} />`;
}

/** @param {{ params: typeof DEFAULTS, onAgain: () => void }} props */
function Log({ params, onAgain }) {
  const log = useRef(/** @type {LiveLog | null} */ (null));
  log.current ??= new LiveLog();
  const [state, setState] = useState(/** @type {StreamState} */ ({ kind: "connecting" }));
  const [since] = useState(() => new Date(now()).toISOString());
  const [isPaused, setPaused] = useState(false);
  const [shown, setShown] = useState(/** @type {Row | null} */ (null));
  const [, setTurn] = useState(0);
  const room = useRef(/** @type {HTMLElement | null} */ (null));
  const { rows, waiting, waitingEvents, seen, missed, hasUnknownMissed, rate, curve } = log.current;
  const isPausedNow = useRef(isPaused);
  isPausedNow.current = isPaused;
  useEffect(() => follow("/live", params, { onFrame: (frame) => log.current?.take(frame), onState: setState }), []);
  useEffect(() => {
    const timer = setInterval(() => {
      const hasRows = log.current !== null && log.current.rows.length > 0;
      log.current?.settle(isPausedNow.current || (hasRows && isReading(room.current)));
      setTurn((turn) => turn + 1);
    }, SETTLE_MS);
    return () => clearInterval(timer);
  }, []);
  const release = () => {
    log.current?.release();
    room.current?.querySelector(".table-room")?.scrollTo(0, 0);
    setTurn((turn) => turn + 1);
  };
  const columns = columnsOf(shown, setShown);
  return html`
    <div class="stats">
      <${Stat} label="Events a second" value=${html`<${Num} value=${rate === null ? null : Math.round(rate * 10) / 10} unit="events a second" />`} note="Average of 10 seconds" title=${`Events of each of the last ${CURVE_SECONDS} seconds`}><${Sparkline} values=${curve} /><//>
      <${Stat} label="Seen" value=${html`<${Num} value=${seen} unit="events" />`} note=${html`since <${Time} at=${since} zone=${zone()} />`} />
      <${Stat} label="Missed" value=${html`<${Num} value=${missed} unit="events" />`} note=${hasUnknownMissed ? "and more, nobody knows how many" : "left out, because this page was too slow or away"} />
    </div>
    ${state.kind === "refused" && html`<${Notice} problem=${state.problem} onRetry=${onAgain} />`}
    <div class=${shown ? "beside open" : "beside"}>
    <${Card} actions=${html`<${Export} name="live-events" columns=${CSV} rows=${rows} question=${{ path: "/live", params }} />`}
      title=${html`<${State} state=${state} isPaused=${isPaused} />`}>
      <div class="live-bar">
        <button type="button" class="small" onClick=${() => { setPaused(!isPaused); if (isPaused) release(); }}>${isPaused ? "Resume" : "Pause"}</button>
        ${waiting.length > 0 && html`<button type="button" class="small primary" onClick=${release}>${waitingEvents > 0 ? `Show ${count(waitingEvents, "new event")}` : "Show what is new"}</button>`}
        ${waiting.length > 0 && !isPaused && html`<span class="note live-hint">They wait while you read.</span>`}
        ${state.kind === "waiting" && html`<span class="note">${state.problem.message}</span>`}
      </div>
      <div ref=${room}>
        ${rows.length > 0
          ? html`<${DataTable} caption="Events, latest first" columns=${columns} rows=${rows} rowKey=${(/** @type {Row} */ row) => row.key} height=${HEIGHT}
              onRow=${(/** @type {Row} */ row) => row.event && setShown(row)} rowClass=${(/** @type {Row} */ row) => (row.event ? (row.key === shown?.key ? "chosen" : "") : "gap-row")}
              foot=${rows.length >= MAX_ROWS && html`<p class="note">This page keeps the latest ${full(MAX_ROWS)} events. <a href=${href("events")}>Stored events</a> go further back.</p>`} />`
          : html`<${Nothing} state=${state} params=${params} />`}
      </div>
    <//>
    ${shown?.event && html`<div id="live-detail" class="beside-card"><${Detail} event=${shown.event} onClose=${() => setShown(null)} /></div>`}
    </div>`;
}

/**
 * Whether somebody is reading the list. What the browser says at this moment is asked, because events about the pointer
 * and the focus do not come when rows go away.
 * @param {HTMLElement | null} room
 */
function isReading(room) {
  if (!room) return false;
  const selection = getSelection();
  const hasSelection = selection !== null && !selection.isCollapsed && room.contains(selection.anchorNode);
  const isScrolled = (room.querySelector(".table-room")?.scrollTop ?? 0) > 0;
  return hasSelection || isScrolled || room.matches(":hover") || room.contains(document.activeElement);
}

/** @param {{ state: StreamState, isPaused: boolean }} props */
function State({ state, isPaused }) {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (state.kind !== "waiting") return undefined;
    const tick = () => setLeft(Math.max(0, Math.ceil((state.at - Date.now()) / 1000)));
    const timer = setInterval(tick, 500);
    tick();
    return () => clearInterval(timer);
  }, [state]);
  const words = { connecting: "Connecting", live: isPaused ? "Paused" : "Live", waiting: "Connecting again", refused: "Not connected" }[state.kind];
  return html`<span class=${`live-state ${state.kind} ${isPaused ? "paused" : ""}`}><span class="dot" aria-hidden="true"></span><span role="status">${words}</span>${state.kind === "waiting" && html`<span class="note" aria-hidden="true">in ${left} s</span>`}</span>`;
}

/** @param {{ state: StreamState, params: typeof DEFAULTS }} props */
function Nothing({ state, params }) {
  const hasFilter = Object.values(params).some((value) => value !== "");
  if (state.kind === "connecting") return html`<${Skeleton} height=${HEIGHT} />`;
  return html`<div class="empty-room" style=${{ minHeight: `${HEIGHT}px` }}>${state.kind === "live"
    ? html`<${Empty} title=${hasFilter ? "Nothing matches this filter yet" : "No events yet"}>
        <p>The next one appears here as soon as it is accepted. What was accepted before is on the page <a href=${href("events")}>Events</a>.</p>
        ${may("ingest") && html`<p><a href=${href("send-event")}>Send a test event</a></p>`}
      <//>`
    : html`<${Empty} title="Not connected" />`}</div>`;
}

/**
 * @param {Row | null} shown
 * @param {(row: Row) => void} onShow
 * @returns {import("../parts/data_table.js").Column<Row>[]}
 */
function columnsOf(shown, onShow) {
  return [
    {
      key: "received_at", label: "Time", show: (row) => row.event && html`<button type="button" class="link" aria-expanded=${row.key === shown?.key} aria-controls="live-detail" onClick=${() => onShow(row)}><${TimeOfDay} at=${row.event.received_at} /></button>`,
    },
    {
      key: "event_type", label: "Event type", show: (row) => row.event
        ? html`<${Id} text=${row.event.event_type} href=${href("live", { event_type: row.event.event_type })} />`
        : html`<span class="quiet">${row.missed === null ? "Some events were missed here" : `${count(row.missed, "event")} missed here`}</span>`,
    },
    { key: "user_id", label: "User", show: ({ event }) => event && html`<${Id} text=${userOf(event)} href=${href("user", { id: userOf(event) })} />` },
    { key: "event_id", label: "Event", show: ({ event }) => event && html`<${Id} text=${event.event_id} href=${href("event", { event_id: event.event_id })} />` },
    { key: "properties", label: "Properties", isWide: true, show: ({ event }) => event && html`<bdi class="quiet">${inOneLine(event.properties)}</bdi>` },
  ];
}

/** @type {import("../csv.js").CsvColumn<Row>[]} */
const CSV = [
  ...EVENT_CSV.map(({ label, value }) => ({ label, value: (/** @type {Row} */ { event }) => event && value(event) })),
  { label: "missed", value: (row) => (row.event ? null : (row.missed ?? "unknown")) },
];

/** @param {{ at: string }} props */
function TimeOfDay({ at }) {
  const text = time(at, zone());
  return html`<time datetime=${at} title=${`${text} ${zone()}`}>${text.slice(-8)}</time>`;
}

/** @param {{ event: import("../types.js").Event, onClose: () => void }} props */
function Detail({ event, onClose }) {
  return html`<${Card} title=${html`Event <bdi>${event.event_id}</bdi>`} actions=${html`<a class="button" href=${href("event", { event_id: event.event_id })}>Its own page</a><button type="button" class="small ghost" aria-label="Close" onClick=${onClose}>✕</button>`}>
    <${EventDetail} event=${event} />
  <//>`;
}
