// What changes keys: making one, replacing one, ending one, and the one moment at which a key is shown.

import { curl, now, send } from "../api.js";
import { asProblem } from "../answer.js";
import { instantOf } from "../clock.js";
import { ago, Time } from "../format.js";
import { Confirm } from "../parts/confirm.js";
import { Copy, Select } from "../parts/controls.js";
import { Notice } from "../parts/notice.js";
import { Card } from "../parts/page.js";
import { numberOf, TextField } from "../parts/text_field.js";
import { addDays } from "../period.js";
import { today, zone } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";

/** @typedef {import("../types.js").Key} Key */
/** @typedef {Key & { key: string }} MadeKey */

const SCOPES = /** @type {const} */ ([["ingest", "send events"], ["read", "ask questions"], ["admin", "change this project; implies the others"]]);
const OVERLAPS = /** @type {const} */ ([["3600", "for an hour"], ["86400", "for a day"], ["604800", "for 7 days"], ["2592000", "for 30 days"], ["0", "no longer"]]);
const MAX_REQUESTS = 1_000_000;
const MAX_EVENTS = 100_000_000;
/** A key that was used within this time is taken to be in use: ending it must be typed. */
const IN_USE_MS = 30 * 86_400_000;

/** @param {{ project: string, onDone: (made: MadeKey) => void, onClose: () => void }} props */
export function KeyForm({ project, onDone, onClose }) {
  const [draft, setDraft] = useState({ name: "", scopes: /** @type {readonly string[]} */ (["ingest"]), expires: "", requests: "", events: "" });
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const [isRunning, setRunning] = useState(false);
  /** @param {"name" | "expires" | "requests" | "events"} name */
  const field = (name) => ({ value: draft[name], problem, onChange: (/** @type {string} */ value) => setDraft((before) => ({ ...before, [name]: value })) });
  /** @param {string} scope @param {boolean} on */
  const turn = (scope, on) => setDraft((before) => ({ ...before, scopes: on ? [...before.scopes, scope] : before.scopes.filter((one) => one !== scope) }));
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    setRunning(true);
    setProblem(null);
    // The key is valid until the end of the day that was chosen.
    const expires_at = draft.expires === "" ? null : instantOf(`${addDays(draft.expires, 1)}T00:00`, zone(), "first");
    const limits = { requests_per_second: numberOf(draft.requests), events_per_second: numberOf(draft.events) };
    try {
      onDone(await send("POST", "/admin/keys", { project, name: draft.name.trim(), scopes: draft.scopes, expires_at, limits }));
    } catch (error) {
      setProblem(asProblem(error));
      setRunning(false);
    }
  };
  return html`<form class="form" onSubmit=${submit}>
    <${TextField} label="Name" ...${field("name")} name="name" isRequired=${true} note="What the key is for, such as web or nightly import" />
    <fieldset class="field"><legend>Scopes</legend>
      ${SCOPES.map(([scope, does]) => html`<label class="switch" key=${scope}><input type="checkbox" checked=${draft.scopes.includes(scope)} onChange=${(/** @type {any} */ event) => turn(scope, event.target.checked)} /><span><code>${scope}</code> ${does}</span></label>`)}
    </fieldset>
    <${TextField} label="Last day" ...${field("expires")} name="expires_at" type="date" min=${today()} note=${html`In the zone ${zone()}. Empty: it does not expire.`} />
    <${TextField} label="Requests a second" ...${field("requests")} name="limits.requests_per_second" type="number" min=${1} max=${MAX_REQUESTS} placeholder="default" note="Empty: as the settings say" />
    <${TextField} label="Events a second" ...${field("events")} name="limits.events_per_second" type="number" min=${1} max=${MAX_EVENTS} placeholder="default" note="Empty: as the settings say" />
    ${problem && html`<${Notice} problem=${problem} />`}
    <div class="form-actions"><button type="submit" class="primary" disabled=${isRunning || draft.scopes.length === 0}>Make the key</button><button type="button" onClick=${onClose}>Cancel</button></div>
  </form>`;
}

/**
 * A key that was just made. Nothing shows it again.
 * @param {{ made: MadeKey, onClose: () => void }} props
 */
export function NewKey({ made, onClose }) {
  const room = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => room.current?.focus(), [made.key_id]);
  const mayIngest = made.scopes.some((scope) => scope !== "read");
  const command = mayIngest ? curl("/events", {}, { method: "POST", body: { event_type: "login", user_id: "ada" } }) : curl("/stats/dau");
  return html`<div ref=${room} tabindex="-1" class="new-key"><${Card} title=${html`The new key <bdi>${made.name}</bdi>`} note="It is shown only now. Copy it before you leave this page: the service keeps only its hash.">
    <p class="secret"><code>${made.key}</code> <${Copy} text=${made.key} label="Copy the key" /></p>
    <p class="note space-above">To try it, put it into the variable API_KEY:</p>
    <pre tabindex="0"><code>${command}</code></pre>
    <div class="form-actions space-above"><button type="button" class="primary" onClick=${onClose}>I have copied it</button></div>
  <//></div>`;
}

/** @param {{ target: Key, onDone: (made: MadeKey) => void, onClose: () => void }} props */
export function Rotate({ target, onDone, onClose }) {
  const [overlap, setOverlap] = useState("3600");
  const run = async () => onDone(await send("POST", `/admin/keys/${target.key_id}/rotate`, { overlap_seconds: Number(overlap) }));
  return html`<${Confirm} title="Rotate this key?" action="Rotate" onConfirm=${run} onClose=${onClose}>
    <p>A new key takes the place of <b><bdi>${target.name}</bdi></b> (${target.key_id}), with the same name, scopes and limits. It is shown once. A key can be rotated only once.</p>
    <${Select} label="The old key stays valid" value=${overlap} options=${OVERLAPS} onChange=${setOverlap} />
    ${overlap === "0" && html`<p class="wrong">Programs that use the old key are refused until they have the new one.</p>`}
  <//>`;
}

/** @param {{ target: Key, onDone: (made: null) => void, onClose: () => void }} props */
export function Revoke({ target, onDone, onClose }) {
  const isInUse = target.last_used_at !== null && now() - Date.parse(target.last_used_at) < IN_USE_MS;
  const run = async () => {
    await send("DELETE", `/admin/keys/${target.key_id}`);
    onDone(null);
  };
  return html`<${Confirm} title="Revoke this key?" action="Revoke" isDanger=${true} typed=${isInUse ? `revoke ${target.key_id}` : undefined} onConfirm=${run} onClose=${onClose}>
    <p><b><bdi>${target.name}</bdi></b> (${target.key_id}) with ${target.scopes.join(", ")} ends within five seconds, for ever. Programs that use it are refused, and sessions of this dashboard that began with it end.</p>
    <p>${target.last_used_at === null ? "It was never used." : html`It was last used ${ago(target.last_used_at, now())}: <${Time} at=${target.last_used_at} zone=${zone()} />.`}</p>
  <//>`;
}
