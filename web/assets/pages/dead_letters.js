// Dead letters: what was accepted and could not be stored. They are listed, shown, sent again and purged; both changes
// count first what they would do.

import { count, Num, Time } from "../format.js";
import { useList } from "../list.js";
import { Id, Select } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { suggestTypes } from "../parts/filters.js";
import { IdFilter } from "../parts/id_filter.js";
import { More } from "../parts/more.js";
import { Message, Notice } from "../parts/notice.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { zone } from "../session.js";
import { html, useState } from "../view.js";
import { CODES, DeadLetterInFull } from "./dead_letter.js";
import { ChangeDialog, useChange } from "./dead_letter_change.js";

/** @typedef {import("../types.js").DeadLetter} DeadLetter */

const DEFAULTS = { code: "", event_type: "", event_id: "", from: "", to: "", id: "", event: "" };
const HEIGHT = 560;

export default function DeadLetters() {
  const [view, change] = useParams(DEFAULTS);
  const { id, event, ...filter } = view;
  const [done, setDone] = useState("");
  // Reading the list again after a change, and after coming back from a letter that was changed.
  const [turn, setTurn] = useState(0);
  /** @param {string} text */
  const finish = (text) => {
    setDone(text);
    setTurn(turn + 1);
    if (id !== "") go(href("dead-letters", filter));
  };
  if (id !== "") return html`<${DeadLetterInFull} id=${id} index=${event} back=${href("dead-letters", filter)} linkOf=${(/** @type {number} */ at) => href("dead-letters", { ...view, event: at })} onDone=${finish} />`;
  return html`<${Page} title="Dead letters" about="Events that were accepted and could not be stored. They are kept until somebody sends them again or purges them."
      controls=${html`<${Conditions} view=${view} change=${change} />`}>
    ${done && html`<${Message} kind="success"><p>${done}</p><//>`}
    <${Letters} filter=${filter} turn=${turn} onDone=${finish} />
  <//>`;
}

/** @param {{ view: typeof DEFAULTS, change: (changes: Partial<typeof DEFAULTS>) => void }} props */
function Conditions({ view, change }) {
  /** @param {"from" | "to"} name @param {string} label */
  const day = (name, label) => html`<label class="inline-field"><span>${label}</span><input type="date" value=${view[name]} onChange=${(/** @type {any} */ input) => change({ [name]: input.target.value })} /></label>`;
  return html`
    <${Select} label="Cause" value=${view.code} options=${[["", "All causes"], ...Object.entries(CODES).map(([code, { name }]) => [code, name])]} onChange=${(/** @type {string} */ code) => change({ code })} />
    <${IdFilter} label="Event type" value=${view.event_type} suggest=${suggestTypes} onChange=${(/** @type {string} */ event_type) => change({ event_type })} />
    <${IdFilter} label="Event id" value=${view.event_id} onChange=${(/** @type {string} */ event_id) => change({ event_id })} />
    ${day("from", "Failed from")} ${day("to", "to")}
    <span class="zone note">${zone()}</span>`;
}

/** @param {{ filter: Record<string, string>, turn: number, onDone: (text: string) => void }} props */
function Letters({ filter, turn, onDone }) {
  const list = useList("/admin/dead-letters", filter, { on: turn });
  const { asked, problem, isCounting, ask, close } = useChange();
  const isFiltered = Object.values(filter).some((value) => value !== "");
  const rows = /** @type {readonly DeadLetter[]} */ (list.data ?? []);
  const columns = columnsOf(filter, !list.hasMore);
  const which = isFiltered ? "matching" : "all";
  const target = { path: "/admin/dead-letters", params: filter, isAll: !isFiltered };
  return html`
    ${problem && html`<${Notice} problem=${problem} />`}
    <${Card} title="Letters, oldest first" actions=${rows.length > 0 && html`
        <button type="button" class="small" disabled=${isCounting} onClick=${() => ask("redrive", target)}>Send ${which} again …</button>
        <button type="button" class="small" disabled=${isCounting} onClick=${() => ask("purge", target)}>Purge ${which} …</button>
        <${Export} name="dead-letters" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/admin/dead-letters", params: filter }} />`}>
      <${Answered} answer=${list} height=${HEIGHT} isEmpty=${() => rows.length === 0 && !list.hasMore}
          empty=${isFiltered ? html`<${Empty} title="Nothing matches this filter"><p><a href=${href("dead-letters")}>All dead letters</a></p><//>` : html`<${Empty} title="No dead letters"><p>Everything that was accepted is stored, or on its way.</p><//>`}>
        ${() => html`<${DataTable} caption="Dead letters, oldest first" columns=${columns} rows=${rows} rowKey=${(/** @type {DeadLetter} */ row) => row.id} height=${HEIGHT}
          onRow=${(/** @type {DeadLetter} */ row) => go(href("dead-letters", { ...filter, id: row.id }))} />
          <${More} list=${list} one="dead letter" />`}
      <//>
    <//>
    ${asked && html`<${ChangeDialog} asked=${asked} onClose=${close} onDone=${onDone} />`}`;
}

/**
 * @param {Record<string, string>} filter
 * @param {boolean} isSortable
 * @returns {import("../parts/data_table.js").Column<DeadLetter>[]}
 */
function columnsOf(filter, isSortable) {
  /** @param {DeadLetter} row */
  const name = (row) => row.event_id ?? `Message with ${count(row.events_count, "event")}`;
  return [
    { key: "failed_at", label: "Failed", isSortable, show: (row) => html`<${Time} at=${row.failed_at} zone=${zone()} />`, value: (row) => row.failed_at },
    { key: "id", label: "Letter", show: (row) => html`<a href=${href("dead-letters", { ...filter, id: row.id })}>${row.id}</a>`, value: (row) => row.id },
    { key: "event_id", label: "Event", show: (row) => html`<${Id} text=${name(row)} />`, value: (row) => row.event_id },
    { key: "event_type", label: "Event type", isSortable, show: (row) => html`<${Id} text=${row.event_type} />`, value: (row) => row.event_type },
    { key: "code", label: "Cause", isSortable, show: (row) => html`<span title=${row.code}>${CODES[row.code]?.name ?? row.code}</span>`, value: (row) => row.code },
    { key: "reason", label: "Reason", isWide: true, show: (row) => html`<bdi class="quiet" title=${row.reason}>${row.reason}</bdi>`, value: (row) => row.reason },
    { key: "events_count", label: "Events", isNumber: true, isSortable, show: (row) => html`<${Num} value=${row.events_count} unit="events" />`, value: (row) => row.events_count },
    { key: "attempts", label: "Attempts", isNumber: true, isSortable, show: (row) => html`<${Num} value=${row.attempts} unit="attempts" />`, value: (row) => row.attempts },
    { key: "redrives", label: "Sent again", isNumber: true, isSortable, show: (row) => html`<${Num} value=${row.redrives} unit="times" />`, value: (row) => row.redrives },
  ];
}
