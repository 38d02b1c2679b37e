// The form that makes a project or changes one. Keeping events for a shorter time deletes some, so it makes people type.

import { segment, send } from "../api.js";
import { asProblem } from "../answer.js";
import { full } from "../format.js";
import { Confirm } from "../parts/confirm.js";
import { Notice } from "../parts/notice.js";
import { numberOf, TextField } from "../parts/text_field.js";
import { TypeAhead } from "../parts/type_ahead.js";
import { readSession, session } from "../session.js";
import { Fragment, html, useState } from "../view.js";

/** @typedef {import("../types.js").Project} Project */
/** @typedef {{ name: string, time_zone: string, retention_days: string, requests_per_second: string, events_per_second: string, max_event_types: string }} Draft */

const LIMITS = /** @type {const} */ ([["requests_per_second", "Requests a second", 1_000_000], ["events_per_second", "Events a second", 100_000_000], ["max_event_types", "Event types", 1_000_000]]);
const MAX_RETENTION_DAYS = 36_500;
/** Zones that are suggested at a time. */
const SUGGESTED = 50;

/** @param {{ project: Project | null, onDone: (text: string) => void, onClose: () => void }} props no project means a new one */
export function ProjectForm({ project, onDone, onClose }) {
  const [draft, setDraft] = useState(() => draftOf(project));
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const [isRunning, setRunning] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const isWhole = session.value?.installation ?? false;
  /** @param {keyof Draft} name */
  const field = (name) => ({ name, value: draft[name], problem, onChange: (/** @type {string} */ value) => setDraft((before) => ({ ...before, [name]: value })) });
  const days = numberOf(draft.retention_days);
  const isShorter = project !== null && days !== null && (project.retention_days === null || days < project.retention_days);
  const save = async () => {
    const body = project ? changesOf(project, draft, isWhole) : bodyOf(draft);
    const saved = /** @type {Project} */ (project ? await send("PATCH", `/admin/projects/${segment(project.name)}`, body) : await send("POST", "/admin/projects", body));
    if (saved.name === session.value?.project) await readSession();
    onDone(project ? `The project ${saved.name} was changed. Every replica sees it within five seconds.` : `The project ${saved.name} was made. Now it needs a key.`);
  };
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    if (isShorter) {
      setAsked(true);
      return;
    }
    setRunning(true);
    setProblem(null);
    try {
      await save();
    } catch (error) {
      setProblem(asProblem(error));
      setRunning(false);
    }
  };
  const zoneProblem = problem?.errors.find((error) => error.field === "time_zone")?.message;
  return html`<${Fragment}>
  <form class="form" onSubmit=${submit}>
    ${!project && html`<${TextField} label="Name" ...${field("name")} isRequired=${true} note="1 to 100 of the characters a-z, 0-9, '.', '_' and '-'. It cannot be changed." />`}
    <div class="field"><span>Time zone</span>
      <${TypeAhead} label="Time zone" keeps=${true} value=${draft.time_zone} suggest=${suggestZones} onPick=${field("time_zone").onChange} />
      <p class="note">${zoneProblem && html`<b class="wrong">${zoneProblem}</b> `}Days begin and end in it. It is final as soon as the first event is stored.</p>
    </div>
    <${TextField} label="Keep events for days" ...${field("retention_days")} type="number" min=${1} max=${MAX_RETENTION_DAYS} placeholder="for ever" note="Older events are deleted every hour; the numbers of their days stay. Empty: kept for ever." />
    ${isWhole && LIMITS.map(([name, label, max]) => html`<${TextField} key=${name} label=${label} ...${field(name)} name=${`limits.${name}`} type="number" min=${1} max=${max} placeholder="default" note="Empty: as the settings say" />`)}
    ${problem && html`<${Notice} problem=${problem} />`}
    <div class="form-actions"><button type="submit" class="primary" disabled=${isRunning}>${project ? "Save" : "Make the project"}</button><button type="button" onClick=${onClose}>Cancel</button></div>
  </form>
  ${isAsked && project && days !== null && html`<${Confirm} title="Delete older events?" action="Save and delete" isDanger=${true} typed=${project.name} onConfirm=${save} onClose=${() => setAsked(false)}>
    <p><bdi>${project.name}</bdi> ${project.retention_days === null ? "keeps events for ever" : `keeps events for ${full(project.retention_days)} days`}. If it keeps them for <b>${full(days)} days</b>, workers delete all older events, within an hour and for good. The numbers of those days stay: active people, events by type and hour, retention.</p>
  <//>`}
  <//>`;
}

/**
 * @param {Project | null} project
 * @returns {Draft}
 */
function draftOf(project) {
  /** @param {number | null | undefined} number */
  const text = (number) => (number === null || number === undefined ? "" : String(number));
  return {
    name: project?.name ?? "",
    time_zone: project?.time_zone ?? "UTC",
    retention_days: text(project?.retention_days),
    requests_per_second: text(project?.limits.requests_per_second),
    events_per_second: text(project?.limits.events_per_second),
    max_event_types: text(project?.limits.max_event_types),
  };
}

/** @param {Draft} draft */
function bodyOf(draft) {
  const { name, time_zone, retention_days, ...limits } = draft;
  const numbers = Object.fromEntries(Object.entries(limits).map(([limit, text]) => [limit, numberOf(text)]));
  return { name: name.trim(), time_zone: time_zone.trim(), retention_days: numberOf(retention_days), limits: numbers };
}

/**
 * What the draft changes. Only the key of the installation may name limits.
 * @param {Project} project
 * @param {Draft} draft
 * @param {boolean} isWhole
 */
function changesOf(project, draft, isWhole) {
  const { time_zone, retention_days, limits } = bodyOf(draft);
  return { ...(time_zone !== project.time_zone && { time_zone }), retention_days, ...(isWhole && { limits }) };
}

/**
 * Time zones whose names contain what was typed.
 * @param {string} query
 */
async function suggestZones(query) {
  const words = query.toLowerCase().replaceAll(" ", "_");
  return [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])].filter((name) => name.toLowerCase().includes(words)).slice(0, SUGGESTED).map((value) => ({ value }));
}
