// One dead letter: why it could not be stored, what helps, and its events as they were sent.

import { get, segment } from "../api.js";
import { useAsk } from "../answer.js";
import { save } from "../csv.js";
import { count, full, Num, Time } from "../format.js";
import { exact, pretty } from "../json.js";
import { Id } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { EventDetail } from "../parts/event_detail.js";
import { EVENT_CSV, inOneLine, userOf } from "../parts/event_rows.js";
import { Notice } from "../parts/notice.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";
import { ChangeDialog, useChange } from "./dead_letter_change.js";

/** @typedef {import("../types.js").DeadLetter & { payload_bytes: number, events: import("../types.js").Event[] }} InFull */

/** The codes, what they mean, and what to do about each. */
export const CODES = /** @type {Record<string, { name: string, advice: string }>} */ ({
  refused: { name: "Refused by PostgreSQL", advice: "The reason says what PostgreSQL objects to, such as a constraint. Once its cause is gone, send the event again." },
  unknown_project: { name: "Project does not exist", advice: "The project of the event is not in the database, for example after an old backup was restored." },
  unknown_time_zone: { name: "Time zone is unknown", advice: "The workers do not know the time zone of the project. Bring their time zone data up to date, and send the event again." },
  event_type_limit: { name: "Too many event types", advice: "The project has as many event types as it may. Raise its limit on the page of projects, and send the event again." },
  expired: { name: "Older than the project keeps events", advice: "The project keeps events for a number of days, and this one is older. Sending it again does not help." },
  undecodable: { name: "Cannot be read", advice: "The message is damaged, or no client of Rollcall sent it. Sending it again does not help." },
  kills_worker: { name: "Ended every worker", advice: "Every worker that took the message ended. Report it as a defect, with the payload, before you send it again." },
});

/**
 * @param {object} props
 * @param {string} props.id
 * @param {string} props.index of the event that is shown, if there are several
 * @param {string} props.back address of the list
 * @param {(index: number) => string} props.linkOf address with another event
 * @param {(text: string) => void} props.onDone
 */
export function DeadLetterInFull({ id, index, back, linkOf, onDone }) {
  const name = segment(id);
  const path = `/admin/dead-letters/${name}`;
  const answer = useAsk(name === null ? null : (signal) => /** @type {Promise<InFull>} */ (get(path, {}, { signal, parse: exact })), [path]);
  const { asked, problem, isCounting, ask, close } = useChange();
  const isGone = name === null || answer.problem?.kind === "missing";
  return html`<${Page} title="Dead letter" subject=${id} controls=${html`<a href=${back}>‹ All dead letters</a>`}>
    ${problem && html`<${Notice} problem=${problem} />`}
    ${isGone ? html`<${Empty} title="This dead letter is not there"><p>Somebody sent it again or purged it, or it belongs to another project.</p><p><a href=${back}>All dead letters</a></p><//>`
      : html`<${Answered} answer=${answer} height=${480}>${(/** @type {InFull} */ letter) => html`
        <${Card} title=${CODES[letter.code]?.name ?? letter.code} note=${CODES[letter.code]?.advice} actions=${html`
            <button type="button" class="small" disabled=${isCounting} onClick=${() => ask("redrive", { path, params: {} })}>Send again …</button>
            <button type="button" class="small" disabled=${isCounting} onClick=${() => ask("purge", { path, params: {} })}>Purge …</button>
            <button type="button" class="small" onClick=${() => save(`dead-letter-${id}.json`, new Blob([pretty(letter)], { type: "application/json" }))}>Save as JSON</button>
            <${Export} name=${`dead-letter-${id}`} question=${{ path }} />`}>
          <${Facts} letter=${letter} />
        <//>
        <${Events} letter=${letter} index=${index} linkOf=${linkOf} />`}
      <//>`}
    ${asked && html`<${ChangeDialog} asked=${asked} onClose=${close} onDone=${onDone} />`}
  <//>`;
}

/** @param {{ letter: InFull }} props */
function Facts({ letter }) {
  return html`<dl class="list">
    <dt>Reason</dt><dd><bdi>${letter.reason}</bdi></dd>
    <dt>Code</dt><dd><code>${letter.code}</code></dd>
    <dt>Accepted</dt><dd><${Time} at=${letter.first_seen} zone=${zone()} /></dd>
    <dt>Failed</dt><dd><${Time} at=${letter.failed_at} zone=${zone()} /> <span class="zone quiet">${zone()}</span></dd>
    <dt>Attempts</dt><dd><${Num} value=${letter.attempts} unit="attempts" /></dd>
    <dt>Sent again before</dt><dd>${letter.redrives === 0 ? "never" : count(letter.redrives, "time")}</dd>
    <dt>Size</dt><dd>${count(letter.events_count, "event")}, ${count(letter.payload_bytes, "byte")}</dd>
    <dt>Requests</dt><dd>${letter.request_ids.length === 0 ? html`<span class="none">–</span>` : letter.request_ids.map((id) => html`<code key=${id}>${id}</code> `)}</dd>
  </dl>`;
}

/** @param {{ letter: InFull, index: string, linkOf: (index: number) => string }} props */
function Events({ letter, index, linkOf }) {
  const { events } = letter;
  if (events.length === 0) return html`<${Card} title="Events"><${Empty} title="The payload cannot be read as events" /><//>`;
  const [first] = events;
  if (events.length === 1 && first) return html`<${Card} title="The event"><${EventDetail} event=${first} /><//>`;
  const chosen = index === "" ? undefined : events[Number(index)];
  const rows = events.map((event, at) => ({ event, at }));
  /** @type {import("../parts/data_table.js").Column<(typeof rows)[number]>[]} */
  const columns = [
    { key: "event_id", label: "Event", show: ({ event, at }) => html`<${Id} text=${event.event_id} href=${linkOf(at)} />` },
    { key: "event_type", label: "Event type", show: ({ event }) => html`<${Id} text=${event.event_type} />` },
    { key: "user_id", label: "User", show: ({ event }) => html`<${Id} text=${userOf(event)} href=${href("user", { id: userOf(event) })} />` },
    { key: "occurred_at", label: "Happened", show: ({ event }) => html`<${Time} at=${event.occurred_at} zone=${zone()} />` },
    { key: "properties", label: "Properties", isWide: true, show: ({ event }) => html`<bdi class="quiet">${inOneLine(event.properties)}</bdi>` },
  ];
  return html`
    <${Card} title="Events" note=${events.length < letter.events_count ? `The first ${full(events.length)} of ${full(letter.events_count)}` : undefined}
        actions=${html`<${Export} name=${`dead-letter-${letter.id}-events`} columns=${EVENT_CSV} rows=${events} />`}>
      <${DataTable} caption="Events of the letter" columns=${columns} rows=${rows} rowKey=${(/** @type {(typeof rows)[number]} */ row) => String(row.at)} height=${360} rowClass=${(/** @type {(typeof rows)[number]} */ row) => (String(row.at) === index ? "chosen" : "")} />
    <//>
    ${chosen && html`<${Card} title="The event"><${EventDetail} event=${chosen} /><//>`}`;
}
