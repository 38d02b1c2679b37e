// Keys: who may send and ask, when each was last used, and the log of what was changed. A new key is shown once.

import { get, now } from "../api.js";
import { ago, full, Time } from "../format.js";
import { useList } from "../list.js";
import { Choice, Id, Switch } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { IdFilter } from "../parts/id_filter.js";
import { More } from "../parts/more.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { href, useParams } from "../route.js";
import { session, zone } from "../session.js";
import { html, useState } from "../view.js";
import { AuditLog } from "./audit_log.js";
import { KeyForm, NewKey, Revoke, Rotate } from "./key_forms.js";

/** @typedef {import("../types.js").Key} Key */

const DEFAULTS = { project: "", show: "keys", ended: "no", make: "" };
const SHOWN = /** @type {const} */ ([["keys", "Keys"], ["log", "Audit log"]]);
const HEIGHT = 520;
/** Projects among which the suggestions are looked for. */
const SUGGESTED_FROM = 1000;

export default function Keys() {
  const [view, change] = useParams(DEFAULTS);
  const [made, setMade] = useState(/** @type {(Key & { key: string }) | null} */ (null));
  const [turn, setTurn] = useState(0);
  const isWhole = session.value?.installation ?? false;
  const isLog = view.show === "log";
  const project = view.project || (session.value?.project ?? "");
  /** @param {(Key & { key: string }) | null} key */
  const finish = (key) => {
    if (key) setMade(key);
    setTurn((before) => before + 1);
    if (view.make !== "") change({ make: "" }, "replace");
  };
  return html`<${Page} title="Keys" about="Programs and people send and ask with keys. The service keeps only a hash of each."
      controls=${html`
        <${Choice} label="What is shown" value=${isLog ? "log" : "keys"} options=${SHOWN} onChange=${(/** @type {string} */ show) => change({ show })} />
        ${isWhole && html`<${IdFilter} label="Project" value=${view.project} suggest=${suggestProjects} onChange=${(/** @type {string} */ to) => change({ project: to })} />`}
        ${!isLog && html`<${Switch} label="Show keys that have ended" value=${view.ended === "yes"} onChange=${(/** @type {boolean} */ on) => change({ ended: on ? "yes" : "no" })} />`}
        <span class="push"></span>
        ${view.make === "" && !isLog && html`<a class="button primary" href=${href("keys", { ...view.project && { project: view.project }, make: "yes" })}>Make a key</a>`}`}>
    ${made && html`<${NewKey} made=${made} onClose=${() => setMade(null)} />`}
    ${view.make !== "" && !isLog && html`<${Card} title=${html`A new key of <bdi>${project}</bdi>`}><${KeyForm} project=${project} onDone=${finish} onClose=${() => change({ make: "" })} /><//>`}
    ${isLog ? html`<${AuditLog} project=${view.project} turn=${turn} />` : html`<${List} project=${project} hasEnded=${view.ended === "yes"} turn=${turn} onDone=${finish} />`}
  <//>`;
}

/**
 * @param {string} query
 * @param {AbortSignal} signal
 */
export async function suggestProjects(query, signal) {
  const { data } = await get("/admin/projects", { limit: SUGGESTED_FROM }, { signal });
  return data.filter((/** @type {import("../types.js").Project} */ one) => one.name.includes(query.toLowerCase())).slice(0, 50).map((/** @type {import("../types.js").Project} */ one) => ({ value: one.name, note: one.time_zone }));
}

/** @param {{ project: string, hasEnded: boolean, turn: number, onDone: (made: (Key & { key: string }) | null) => void }} props */
function List({ project, hasEnded, turn, onDone }) {
  const list = useList("/admin/keys", { project }, { on: turn });
  const [asked, setAsked] = useState(/** @type {{ act: "rotate" | "revoke", key: Key } | null} */ (null));
  const all = /** @type {readonly Key[]} */ (list.data ?? []);
  const rows = hasEnded ? all : all.filter((key) => !isEnded(key));
  const columns = columnsOf(!list.hasMore, new Set(all.map((key) => key.replaces)), (act, key) => setAsked({ act, key }));
  const close = () => setAsked(null);
  return html`<${Card} title=${html`Keys of <bdi>${project}</bdi>`} actions=${html`<${Export} name="keys" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/admin/keys", params: { project } }} />`}>
    <${Answered} answer=${list} height=${HEIGHT} isEmpty=${() => rows.length === 0 && !list.hasMore}
        empty=${all.length === 0 ? html`<${Empty} title="No keys yet"><p><a href=${href("keys", { project, make: "yes" })}>Make the first one</a></p><//>` : html`<${Empty} title="All keys have ended"><p>The switch above shows them.</p><//>`}>
      ${() => html`<${DataTable} caption="Keys, oldest first" columns=${columns} rows=${rows} rowKey=${(/** @type {Key} */ row) => String(row.key_id)} height=${HEIGHT} rowClass=${(/** @type {Key} */ row) => (isEnded(row) ? "ended" : "")} />
        ${rows.length < all.length && html`<p class="note">${full(all.length - rows.length)} that have ended are not shown.</p>`}
        ${(list.hasMore || rows.length === all.length) && html`<${More} list=${list} one="key" />`}`}
    <//>
    ${asked?.act === "rotate" && html`<${Rotate} target=${asked.key} onDone=${onDone} onClose=${close} />`}
    ${asked?.act === "revoke" && html`<${Revoke} target=${asked.key} onDone=${onDone} onClose=${close} />`}
  <//>`;
}

/** @param {Key} key */
function isEnded(key) {
  return key.revoked_at !== null || (key.expires_at !== null && Date.parse(key.expires_at) <= now());
}

/**
 * @param {boolean} isSortable
 * @param {ReadonlySet<number | null>} replaced keys in whose place there is another
 * @param {(act: "rotate" | "revoke", key: Key) => void} onAct
 * @returns {import("../parts/data_table.js").Column<Key>[]}
 */
function columnsOf(isSortable, replaced, onAct) {
  /** @param {Key} key */
  const state = (key) => {
    if (key.revoked_at !== null) return "revoked";
    if (isEnded(key)) return "expired";
    return replaced.has(key.key_id) ? "replaced, still valid" : "valid";
  };
  return [
    { key: "name", label: "Name", isSortable, show: (row) => html`<${Id} text=${row.name} />`, value: (row) => row.name },
    { key: "key_id", label: "Id", isNumber: true, isSortable, show: (row) => row.key_id, value: (row) => row.key_id },
    { key: "scopes", label: "Scopes", show: (row) => row.scopes.join(", "), value: (row) => row.scopes.join(" ") },
    { key: "state", label: "State", isSortable, show: (row) => html`<span class=${isEnded(row) ? "quiet" : ""}>${state(row)}</span>`, value: state },
    {
      key: "last_used_at", label: "Last used", isSortable, value: (row) => row.last_used_at,
      show: (row) => (row.last_used_at === null ? html`<span class="quiet">never</span>` : html`<time datetime=${row.last_used_at} title=${row.last_used_at}>${ago(row.last_used_at, now())}</time>`),
    },
    { key: "expires_at", label: "Expires", isSortable, show: (row) => (row.expires_at === null ? html`<span class="quiet">never</span>` : html`<${Time} at=${row.expires_at} zone=${zone()} />`), value: (row) => row.expires_at },
    { key: "limits", label: "Limits a second", show: (row) => limitsOf(row), value: (row) => limitsOf(row) },
    { key: "created_at", label: "Made", isSortable, show: (row) => html`<${Time} at=${row.created_at} zone=${zone()} />`, value: (row) => row.created_at },
    {
      key: "actions", label: "Actions", show: (row) => !isEnded(row) && html`<span class="row-actions">
        ${!replaced.has(row.key_id) && html`<button type="button" class="link" aria-label=${`Rotate the key ${row.name} (${row.key_id})`} onClick=${() => onAct("rotate", row)}>Rotate</button>`}
        <button type="button" class="link" aria-label=${`Revoke the key ${row.name} (${row.key_id})`} onClick=${() => onAct("revoke", row)}>Revoke</button>
      </span>`,
    },
  ];
}

/** @param {Key} key */
function limitsOf({ limits }) {
  const parts = [limits.requests_per_second !== null && `${full(limits.requests_per_second)} requests`, limits.events_per_second !== null && `${full(limits.events_per_second)} events`];
  return parts.filter((part) => part !== false).join(", ") || "default";
}
