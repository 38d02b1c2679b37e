// The schema of one event type: its editor, and events that did not match it.

import { get, segment, send } from "../api.js";
import { asProblem, useAsk } from "../answer.js";
import { count, full, Num, Time } from "../format.js";
import { exact, pretty } from "../json.js";
import { Confirm } from "../parts/confirm.js";
import { Choice, Id } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { suggestTypes } from "../parts/filters.js";
import { Notice } from "../parts/notice.js";
import { Card, Export } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { TypeAhead } from "../parts/type_ahead.js";
import { href } from "../route.js";
import { session, zone } from "../session.js";
import { html, useMemo, useRef, useState } from "../view.js";
import { draftSchema } from "./schema_draft.js";

/** @typedef {import("../types.js").EventSchema & { schema: Record<string, unknown> }} InFull */

const MODES = /** @type {const} */ ([["warn", "Accept and count"], ["reject", "Refuse and count"]]);
const NOTHING_YET = { type: "object", properties: {}, required: [] };

/** @param {{ project: string, eventType: string, onDone: (text: string) => void, onClose: () => void }} props */
export function SchemaInFull({ project, eventType, onDone, onClose }) {
  const path = `/admin/schemas/${segment(eventType)}`;
  const answer = useAsk(segment(eventType) === null ? null : (signal) => /** @type {Promise<InFull>} */ (get(path, { project }, { signal, parse: exact })), [path, project]);
  const [isRemoving, setRemoving] = useState(false);
  const remove = async () => {
    await send("DELETE", path, undefined, { project });
    onDone(`The schema of ${eventType} was removed. Within five seconds, no replica checks its events any more.`);
  };
  if (answer.problem?.kind === "missing") return html`<${Card}><${Empty} title="This event type has no schema"><p><a href=${href("schemas", { project, make: "yes" })}>Make one</a></p><//><//>`;
  return html`<${Card} title=${html`Schema of <bdi>${eventType}</bdi>`} actions=${html`
      <button type="button" class="small" onClick=${() => setRemoving(true)}>Remove …</button><${Export} name="schema" question=${{ path, params: { project } }} />`}>
    <${Answered} answer=${answer} height=${480}>${(/** @type {InFull} */ found) => html`
      <${Editor} project=${project} eventType=${eventType} mode=${found.mode} text=${pretty(found.schema)} violations=${found.violations} onDone=${onDone} onClose=${onClose} />
      <${Violations} of=${found} />`}
    <//>
    ${isRemoving && html`<${Confirm} title="Remove this schema?" action="Remove" isDanger=${true} onConfirm=${remove} onClose=${() => setRemoving(false)}>
      <p>Events of <b><bdi>${eventType}</bdi></b> are not checked any more, and the count of those that did not match is gone.</p>
    <//>`}
  <//>`;
}

/** @param {{ project: string, onDone: (text: string) => void, onClose: () => void }} props */
export function NewSchema({ project, onDone, onClose }) {
  const [eventType, setEventType] = useState("");
  const [draft, setDraft] = useState(pretty(NOTHING_YET));
  const [note, setNote] = useState("");
  const isEdited = useRef(false);
  const isOwn = project === "" || project === session.value?.project;
  /** @param {string} type */
  const pick = async (type) => {
    setEventType(type);
    setNote("");
    const name = segment(type);
    // Only the events of the key's own project can be looked at, and nothing that somebody has written is replaced.
    if (type === "" || name === null || !isOwn || isEdited.current) return;
    try {
      const found = await get(`/event-types/${name}/properties`);
      if (found.data.length === 0 || isEdited.current) return;
      setDraft(pretty(draftSchema(found.data)));
      setNote(`This draft is made from the latest ${count(found.events_sampled, "event")} of the type. Look it through before you refuse events by it.`);
    } catch {
      // Without a draft, people write the schema themselves.
    }
  };
  return html`<${Card} title="A new schema">
    <div class="form wide-form">
      <div class="field"><span>Event type</span><${TypeAhead} label="Event type" keeps=${true} value=${eventType} suggest=${suggestTypes} onPick=${pick} /></div>
      ${note && html`<p class="note" role="status">${note}</p>`}
    </div>
    <${Editor} key=${draft} project=${project} eventType=${eventType} mode="warn" text=${draft} violations=${0} onDone=${onDone} onClose=${onClose} onEdit=${() => { isEdited.current = true; }} />
  <//>`;
}

/** @param {{ project: string, eventType: string, mode: string, text: string, violations: number, onDone: (text: string) => void, onClose: () => void, onEdit?: () => void }} props */
function Editor({ project, eventType, mode: before, text: beginning, violations, onDone, onClose, onEdit }) {
  const [mode, setMode] = useState(before);
  const [text, setText] = useState(beginning);
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const [isRunning, setRunning] = useState(false);
  const wrong = useMemo(() => whatIsWrong(text), [text]);
  const name = segment(eventType);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    setRunning(true);
    setProblem(null);
    try {
      // The text goes as it is, so no number in it changes.
      await send("PUT", `/admin/schemas/${name}`, `{"mode":${JSON.stringify(mode)},"schema":${text}}`, { project });
      onDone(`The schema of ${eventType} was set. Every replica checks events by it within five seconds.`);
    } catch (error) {
      setProblem(asProblem(error));
      setRunning(false);
    }
  };
  return html`<form class="form wide-form" onSubmit=${submit}>
    <div class="field"><span>Events that do not match</span><${Choice} label="Events that do not match" value=${mode} options=${MODES} onChange=${setMode} />
      ${mode === "reject" && before !== "reject" && html`<p class="note">${violations > 0 ? `${full(violations)} events did not match so far. Clients that send such events get 422.` : "Clients that send such events get 422."}</p>`}</div>
    <label class="field"><span>JSON Schema of the properties</span>
      <textarea rows="16" spellcheck=${false} value=${text} aria-invalid=${wrong !== ""} aria-describedby="schema-problem" onInput=${(/** @type {any} */ event) => { setText(event.target.value); onEdit?.(); }}></textarea>
    </label>
    <p class="note" id="schema-problem" role="status">${wrong ? html`<span class="wrong">${wrong}</span>` : "A change begins the count of violations anew."}</p>
    ${eventType !== "" && name === null && html`<p class="wrong">An event type of this name cannot have a schema.</p>`}
    ${problem && html`<${Notice} problem=${problem} />`}
    <div class="form-actions"><button type="submit" class="primary" disabled=${isRunning || wrong !== "" || eventType === "" || name === null}>Save the schema</button><button type="button" onClick=${onClose}>Cancel</button></div>
  </form>`;
}

/**
 * What is wrong with a text as JSON; empty if nothing is. Whether it is a schema too, the service says.
 * @param {string} text
 */
function whatIsWrong(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? "" : "A schema is a JSON object.";
  } catch (error) {
    return error instanceof Error ? `This is not JSON: ${error.message}` : "This is not JSON.";
  }
}

/** @param {{ of: InFull }} props */
function Violations({ of }) {
  /** @type {import("../parts/data_table.js").Column<InFull["samples"][number]>[]} */
  const columns = [
    { key: "at", label: "When", show: (row) => html`<${Time} at=${row.at} zone=${zone()} />`, value: (row) => row.at },
    { key: "event_id", label: "Event", show: (row) => html`<${Id} text=${row.event_id} href=${of.mode === "warn" && href("event", { event_id: row.event_id })} />`, value: (row) => row.event_id },
    { key: "path", label: "Where", show: (row) => html`<code><bdi>${row.path}</bdi></code>`, value: (row) => row.path },
    { key: "message", label: "Why", isWide: true, show: (row) => html`<bdi title=${row.message}>${row.message}</bdi>`, value: (row) => row.message },
  ];
  return html`<h3 class="space-above">Violations: <${Num} value=${of.violations} unit="events" /></h3>
    <p class="note">Since <${Time} at=${of.changed_at} zone=${zone()} />${of.violations > 0 && html`, the last one <${Time} at=${of.last_violation_at} zone=${zone()} />. The latest ${of.samples.length}:`}</p>
    ${of.samples.length > 0 && html`<${DataTable} caption="Events that did not match, latest first" columns=${columns} rows=${of.samples} rowKey=${(/** @type {any} */ row) => `${row.at} ${row.event_id} ${row.path}`} />
      <${Export} name="violations" columns=${asCsv(columns)} rows=${of.samples} />`}`;
}
