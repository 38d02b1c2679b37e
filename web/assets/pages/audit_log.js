// The log of changes: who changed which project, key or schema, when, and what it was before, and who sent dead letters
// again or purged them.

import { count, Time } from "../format.js";
import { useList } from "../list.js";
import { Id } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { More } from "../parts/more.js";
import { Card, Export } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { href } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").AuditLogEntry} Entry */

const HEIGHT = 560;
const ACTIONS = /** @type {Record<string, string>} */ ({
  create_project: "Made a project", change_project: "Changed a project", create_key: "Made a key", rotate_key: "Rotated a key", revoke_key: "Revoked a key",
  set_schema: "Set a schema", remove_schema: "Removed a schema",
  redrive_dead_letters: "Sent dead letters again", purge_dead_letters: "Purged dead letters", expire: "Deleted old events",
});

/** @param {{ project: string, turn: number }} props without a project, all that the key governs */
export function AuditLog({ project, turn }) {
  const list = useList("/admin/audit-log", { project }, { on: turn });
  const rows = /** @type {readonly Entry[]} */ (list.data ?? []);
  return html`<${Card} title="Audit log, latest first" note="Changes of projects, keys and schemas, and what was done with dead letters. It contains no secrets, and nothing deletes it."
      actions=${html`<${Export} name="audit-log" columns=${asCsv(COLUMNS)} rows=${rows} question=${{ path: "/admin/audit-log", params: { project } }} />`}>
    <${Answered} answer=${list} height=${HEIGHT} isEmpty=${() => rows.length === 0 && !list.hasMore} empty=${html`<${Empty} title="Nothing was changed yet" />`}>
      ${() => html`<${DataTable} caption="Changes, latest first" columns=${COLUMNS} rows=${rows} rowKey=${(/** @type {Entry} */ row) => String(row.id)} height=${HEIGHT} />
        <${More} list=${list} one="change" />`}
    <//>
  <//>`;
}

/** @type {import("../parts/data_table.js").Column<Entry>[]} */
const COLUMNS = [
  { key: "at", label: "When", show: (row) => html`<${Time} at=${row.at} zone=${zone()} />`, value: (row) => row.at },
  { key: "action", label: "What", show: (row) => ACTIONS[row.action] ?? row.action, value: (row) => row.action },
  { key: "project", label: "Project", show: (row) => html`<${Id} text=${row.project} href=${href("projects", { project: row.project })} />`, value: (row) => row.project },
  { key: "key_id", label: "Key", isNumber: true, show: (row) => row.key_id ?? html`<span class="none">–</span>`, value: (row) => row.key_id },
  { key: "by_key_id", label: "By", show: (row) => by(row), value: (row) => by(row) },
  { key: "changes", label: "Change", isWide: true, show: (row) => html`<bdi title=${differences(row)}>${differences(row)}</bdi>`, value: (row) => differences(row) },
  { key: "request_id", label: "Request", show: (row) => html`<${Id} text=${row.request_id} />`, value: (row) => row.request_id },
];

/** @param {Entry} entry */
function by({ action, by_key_id: id }) {
  if (action === "expire") return "rollcall expire";
  return id === null ? "key of the installation" : `key ${id}`;
}

/**
 * What differs, in one line: "retention_days: – → 90"; of dead letters, how many they were.
 * @param {Entry} entry
 */
function differences({ action, before, after }) {
  if (action.endsWith("_dead_letters")) {
    return `${count(Number(before?.matched), "dead letter")} with ${count(Number(before?.events_count), "event")}`;
  }
  const [old, fresh] = [flat(before), flat(after)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])].filter((name) => old.get(name) !== fresh.get(name));
  const parts = names.map((name) => {
    if (before === null) return `${name}: ${fresh.get(name)}`;
    return `${name}: ${old.get(name) ?? "–"} → ${after === null ? "removed" : (fresh.get(name) ?? "–")}`;
  });
  return parts.join("; ") || count(0, "difference");
}

/**
 * The fields that say something, with those of objects in them.
 * @param {Record<string, unknown> | null} shown
 * @returns {Map<string, string>}
 */
function flat(shown) {
  const entries = Object.entries(shown ?? {}).flatMap(([name, value]) => {
    if (value === null || name === "created_at") return [];
    if (name === "limits") return Object.entries(value ?? {}).filter(([, limit]) => limit !== null).map(([limit, number]) => [`${name}.${limit}`, String(number)]);
    return [[name, typeof value === "string" ? value : JSON.stringify(value)]];
  });
  return new Map(/** @type {[string, string][]} */ (entries));
}
