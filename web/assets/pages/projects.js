// Projects: the tenants of the installation, their time zones, limits, and how long they keep events. The key of the
// installation makes and changes them all; the admin key of a project changes its own.

import { get } from "../api.js";
import { useAsk } from "../answer.js";
import { full, Num, Time } from "../format.js";
import { useList } from "../list.js";
import { Id } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { More } from "../parts/more.js";
import { Message } from "../parts/notice.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { session, zone } from "../session.js";
import { html, useState } from "../view.js";
import { ProjectForm } from "./project_form.js";

/** @typedef {import("../types.js").Project} Project */

const DEFAULTS = { project: "", make: "" };
const HEIGHT = 480;
/** Projects of a page while one is looked for by its name: the API has no question for a single project. */
const LOOKUP_ROWS = 1000;

export default function Projects() {
  const [view] = useParams(DEFAULTS);
  const [done, setDone] = useState("");
  const [turn, setTurn] = useState(0);
  const isWhole = session.value?.installation ?? false;
  /** @param {string} text */
  const finish = (text) => {
    setDone(text);
    setTurn(turn + 1);
    go(href("projects"));
  };
  return html`<${Page} title="Projects" about=${isWhole ? "Each project is a tenant: every event, key and number belongs to exactly one." : "Your project. Other projects are shown to the key of the installation."}
      controls=${isWhole && view.make === "" && html`<a class="button primary" href=${href("projects", { make: "yes" })}>Make a project</a>`}>
    ${done && html`<${Message} kind="success"><p>${done}</p><//>`}
    ${view.make !== "" && isWhole && html`<${Card} title="A new project"><${ProjectForm} project=${null} onDone=${finish} onClose=${() => go(href("projects"))} /><//>`}
    ${view.project !== "" && html`<${Chosen} key=${`${view.project} ${turn}`} name=${view.project} onDone=${finish} />`}
    <${List} turn=${turn} chosen=${view.project} />
  <//>`;
}

/** @param {{ name: string, onDone: (text: string) => void }} props */
function Chosen({ name, onDone }) {
  const answer = useAsk((signal) => find(name, signal), [name]);
  return html`<${Card} title=${html`Change <bdi>${name}</bdi>`} actions=${html`<a class="button" href=${href("keys", { project: name })}>Keys</a>`}>
    <${Answered} answer=${answer} height=${420} isEmpty=${(/** @type {{ project: Project | null }} */ found) => found.project === null} empty=${html`<${Empty} title="There is no such project" />`}>
      ${(/** @type {{ project: Project | null }} */ { project }) => html`<${ProjectForm} project=${project} onDone=${onDone} onClose=${() => go(href("projects"))} />`}
    <//>
  <//>`;
}

/**
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {Promise<{ project: Project | null }>}
 */
async function find(name, signal) {
  /** @type {string | null} */
  let cursor = null;
  do {
    /** @type {import("../types.js").Page<Project>} */
    const page = await get("/admin/projects", { limit: LOOKUP_ROWS, cursor }, { signal });
    const project = page.data.find((one) => one.name === name);
    if (project) return { project };
    cursor = page.next_cursor;
  } while (cursor !== null);
  return { project: null };
}

/** @param {{ turn: number, chosen: string }} props */
function List({ turn, chosen }) {
  const list = useList("/admin/projects", {}, { on: turn });
  const rows = /** @type {readonly Project[]} */ (list.data ?? []);
  const columns = columnsOf(!list.hasMore);
  return html`<${Card} title="Projects" actions=${html`<${Export} name="projects" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/admin/projects" }} />`}>
    <${Answered} answer=${list} height=${HEIGHT}>${() => html`
      <${DataTable} caption="Projects, by name" columns=${columns} rows=${rows} rowKey=${(/** @type {Project} */ row) => row.name} height=${HEIGHT}
        onRow=${(/** @type {Project} */ row) => go(href("projects", { project: row.name }))} rowClass=${(/** @type {Project} */ row) => (row.name === chosen ? "chosen" : "")} />
      <${More} list=${list} one="project" />`}
    <//>
  <//>`;
}

/**
 * @param {boolean} isSortable
 * @returns {import("../parts/data_table.js").Column<Project>[]}
 */
function columnsOf(isSortable) {
  /**
   * @param {"requests_per_second" | "events_per_second" | "max_event_types"} name
   * @param {string} label
   * @returns {import("../parts/data_table.js").Column<Project>}
   */
  const limit = (name, label) => ({
    key: name, label, isNumber: true, isSortable, value: (row) => row.limits[name],
    show: (row) => (row.limits[name] === null ? html`<span class="quiet">default</span>` : html`<${Num} value=${row.limits[name]} />`),
  });
  return [
    { key: "name", label: "Name", isSortable, isWide: true, show: (row) => html`<${Id} text=${row.name} href=${href("projects", { project: row.name })} />`, value: (row) => row.name },
    { key: "time_zone", label: "Time zone", isSortable, show: (row) => row.time_zone, value: (row) => row.time_zone },
    {
      key: "retention_days", label: "Keeps events", isNumber: true, isSortable, value: (row) => row.retention_days,
      show: (row) => (row.retention_days === null ? html`<span class="quiet">for ever</span>` : `${full(row.retention_days)} days`),
    },
    limit("requests_per_second", "Requests a second"),
    limit("events_per_second", "Events a second"),
    limit("max_event_types", "Event types"),
    { key: "created_at", label: "Made", isSortable, show: (row) => html`<${Time} at=${row.created_at} zone=${zone()} />`, value: (row) => row.created_at },
  ];
}
