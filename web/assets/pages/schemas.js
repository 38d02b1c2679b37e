// Schemas: what the properties of an event type must look like, whether events that do not match are refused, and how
// many there were.

import { Num, Time } from "../format.js";
import { useList } from "../list.js";
import { Id } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { IdFilter } from "../parts/id_filter.js";
import { More } from "../parts/more.js";
import { Message } from "../parts/notice.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { session, zone } from "../session.js";
import { html, useState } from "../view.js";
import { suggestProjects } from "./keys.js";
import { NewSchema, SchemaInFull } from "./schema.js";

/** @typedef {import("../types.js").EventSchema} EventSchema */

const DEFAULTS = { project: "", event_type: "", make: "" };
const HEIGHT = 480;

export default function Schemas() {
  const [view, change] = useParams(DEFAULTS);
  const [done, setDone] = useState("");
  const [turn, setTurn] = useState(0);
  const isWhole = session.value?.installation ?? false;
  const { project } = view;
  /** @param {string} text */
  const finish = (text) => {
    setDone(text);
    setTurn(turn + 1);
    go(href("schemas", { project }));
  };
  const close = () => go(href("schemas", { project }));
  return html`<${Page} title="Schemas" about="A JSON Schema says what the properties of an event type must look like. Event types without one take any properties."
      controls=${html`
        ${isWhole && html`<${IdFilter} label="Project" value=${project} suggest=${suggestProjects} onChange=${(/** @type {string} */ to) => change({ project: to, event_type: "", make: "" })} />`}
        <span class="push"></span>
        ${view.make === "" && html`<a class="button primary" href=${href("schemas", { project, make: "yes" })}>Make a schema</a>`}`}>
    ${done && html`<${Message} kind="success"><p>${done}</p><//>`}
    ${view.make !== "" && html`<${NewSchema} project=${project} onDone=${finish} onClose=${close} />`}
    ${view.event_type !== "" && html`<${SchemaInFull} key=${`${project} ${view.event_type}`} project=${project} eventType=${view.event_type} onDone=${finish} onClose=${close} />`}
    <${List} project=${project} turn=${turn} chosen=${view.event_type} />
  <//>`;
}

/** @param {{ project: string, turn: number, chosen: string }} props */
function List({ project, turn, chosen }) {
  const list = useList("/admin/schemas", { project }, { on: turn });
  const rows = /** @type {readonly EventSchema[]} */ (list.data ?? []);
  /** @param {EventSchema} row */
  const link = (row) => href("schemas", { project, event_type: row.event_type });
  /** @type {import("../parts/data_table.js").Column<EventSchema>[]} */
  const columns = [
    { key: "event_type", label: "Event type", isSortable: !list.hasMore, isWide: true, show: (row) => html`<${Id} text=${row.event_type} href=${link(row)} />`, value: (row) => row.event_type },
    { key: "mode", label: "Events that do not match", isSortable: !list.hasMore, show: (row) => (row.mode === "reject" ? "are refused" : "are accepted"), value: (row) => row.mode },
    { key: "violations", label: "Violations", isNumber: true, isSortable: !list.hasMore, show: (row) => html`<${Num} value=${row.violations} unit="events" />`, value: (row) => row.violations },
    { key: "last_violation_at", label: "Last violation", isSortable: !list.hasMore, show: (row) => html`<${Time} at=${row.last_violation_at} zone=${zone()} />`, value: (row) => row.last_violation_at },
    { key: "sample", label: "For example", show: ({ samples: [sample] }) => sample && html`<bdi class="quiet" title=${`${sample.path}: ${sample.message}`}>${sample.path}: ${sample.message}</bdi>`, value: ({ samples: [sample] }) => sample && `${sample.path}: ${sample.message}` },
    { key: "schema_bytes", label: "Bytes", isNumber: true, isSortable: !list.hasMore, show: (row) => html`<${Num} value=${row.schema_bytes} unit="bytes" />`, value: (row) => row.schema_bytes },
    { key: "changed_at", label: "Changed", isSortable: !list.hasMore, show: (row) => html`<${Time} at=${row.changed_at} zone=${zone()} />`, value: (row) => row.changed_at },
  ];
  return html`<${Card} title="Schemas" note="Violations since the schema was last changed" actions=${html`<${Export} name="schemas" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/admin/schemas", params: { project } }} />`}>
    <${Answered} answer=${list} height=${HEIGHT} isEmpty=${() => rows.length === 0 && !list.hasMore}
        empty=${html`<${Empty} title="No schemas yet"><p>Every event type takes any properties.</p><p><a href=${href("schemas", { project, make: "yes" })}>Make the first one</a></p><//>`}>
      ${() => html`<${DataTable} caption="Schemas, by event type" columns=${columns} rows=${rows} rowKey=${(/** @type {EventSchema} */ row) => row.event_type} height=${HEIGHT}
          onRow=${(/** @type {EventSchema} */ row) => go(link(row))} rowClass=${(/** @type {EventSchema} */ row) => (row.event_type === chosen ? "chosen" : "")} />
        <${More} list=${list} one="schema" />`}
    <//>
  <//>`;
}
