// Which events count: event types and filters on properties, both with suggestions from the project's own events.

import { get, segment } from "../api.js";
import { count, percent, short } from "../format.js";
import { html, useState } from "../view.js";
import { Select } from "./controls.js";
import { TypeAhead } from "./type_ahead.js";

/** The operators of `where`, as in the API, with their names on screen. */
const OPERATORS = /** @type {const} */ ([
  ["eq", "is"], ["ne", "is not"], ["contains", "contains"], ["gt", ">"], ["gte", "≥"], ["lt", "<"], ["lte", "≤"], ["exists", "exists"],
]);
/** Most filters of a question. */
const MAX_FILTERS = 10;

/**
 * Event types that begin with what was typed, as suggestions.
 * @param {string} query
 * @param {AbortSignal} signal
 */
export async function suggestTypes(query, signal) {
  const { data } = await get("/event-types", { query, limit: 50 }, { signal });
  return data.map((/** @type {import("../types.js").EventType} */ type) => ({ value: type.event_type, note: short(type.events) }));
}

/**
 * Event types. None means all of them.
 * @param {{ value: readonly string[], onChange: (types: string[]) => void, label?: string, max?: number }} props
 */
export function EventTypes({ value, onChange, label = "Event type", max = 10 }) {
  return html`<div class="chips" role="group" aria-label=${label}>
    ${value.map((type) => html`<${Chip} key=${type} text=${type} name=${`Remove ${type}`} onRemove=${() => onChange(value.filter((one) => one !== type))} />`)}
    ${value.length < max && html`<${TypeAhead} label=${label} placeholder=${value.length === 0 ? "All event types" : "Add a type"} suggest=${suggestTypes}
      onPick=${(/** @type {string} */ type) => value.includes(type) || onChange([...value, type])} />`}
  </div>`;
}

/**
 * Filters on properties, in the words of the API: "plan:pro", "amount:gte:10".
 * @param {{ value: readonly string[], onChange: (where: string[]) => void, eventTypes?: readonly string[] }} props `eventTypes` are those whose properties are suggested
 */
export function Filters({ value, onChange, eventTypes = [] }) {
  const [isAdding, setAdding] = useState(false);
  return html`<div class="chips" role="group" aria-label="Filters">
    ${value.map((where) => html`<${Chip} key=${where} text=${inWords(where)} name=${`Remove the filter ${inWords(where)}`} onRemove=${() => onChange(value.filter((one) => one !== where))} />`)}
    ${isAdding
      ? html`<${NewFilter} eventTypes=${eventTypes} onClose=${() => setAdding(false)} onAdd=${(/** @type {string} */ where) => { setAdding(false); if (!value.includes(where)) onChange([...value, where]); }} />`
      : value.length < MAX_FILTERS && html`<button type="button" class="small ghost" onClick=${() => setAdding(true)}>+ Filter</button>`}
  </div>`;
}

/** @param {{ eventTypes: readonly string[], onAdd: (where: string) => void, onClose: () => void }} props */
function NewFilter({ eventTypes, onAdd, onClose }) {
  const [property, setProperty] = useState("");
  const [operator, setOperator] = useState("eq");
  /** @param {string} value */
  const add = (value) => value !== "" && property !== "" && onAdd(`${property}:${operator}:${value}`);
  return html`<div class="new-filter" onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && !event.defaultPrevented && onClose()}>
    <${TypeAhead} label="Property" keeps=${true} value=${property} suggest=${propertiesOf(eventTypes)} onPick=${setProperty} />
    <${Select} label="" name="Operator" value=${operator} options=${OPERATORS} onChange=${setOperator} />
    ${operator === "exists"
      ? html`<button type="button" class="small" disabled=${!property} onClick=${() => add("true")}>yes</button><button type="button" class="small" disabled=${!property} onClick=${() => add("false")}>no</button>`
      : html`<${TypeAhead} key=${property} label="Value" suggest=${valuesOf(eventTypes, property)} onPick=${add} />`}
    <button type="button" class="small ghost" onClick=${onClose} aria-label="Add no filter">✕</button>
  </div>`;
}

/**
 * A property, to break numbers down by.
 * @param {{ value: string, onChange: (property: string) => void, eventTypes?: readonly string[] }} props
 */
export function Breakdown({ value, onChange, eventTypes = [] }) {
  return html`<div class="chips" role="group" aria-label="Breakdown">${value
    ? html`<${Chip} text=${`by ${value}`} name="Remove the breakdown" onRemove=${() => onChange("")} />`
    : html`<${TypeAhead} label="Break down by" suggest=${propertiesOf(eventTypes)} onPick=${onChange} />`}</div>`;
}

/**
 * A choice that can be taken back.
 * @param {{ text: string, name: string, label?: string, onRemove: () => void }} props `label` says what the text is
 */
export function Chip({ text, name, label, onRemove }) {
  return html`<span class="chip">${label && html`<span class="chip-label">${label}</span>`}<bdi title=${text}>${text}</bdi><button type="button" aria-label=${name} onClick=${onRemove}>✕</button></span>`;
}

/**
 * A filter as people say it: "plan is pro".
 * @param {string} where
 */
export function inWords(where) {
  const [property = "", second = "", ...rest] = where.split(":");
  const operator = OPERATORS.find(([name]) => name === second);
  if (!operator || rest.length === 0) return `${property} is ${[second, ...rest].join(":")}`;
  if (operator[0] === "exists") return rest.join(":") === "false" ? `${property} is missing` : `${property} exists`;
  return `${property} ${operator[1]} ${rest.join(":")}`;
}

/**
 * The properties of some event types; without any, of the most frequent ones.
 * @param {readonly string[]} eventTypes
 * @param {AbortSignal} signal
 * @returns {Promise<import("../types.js").Property[]>}
 */
async function ask(eventTypes, signal) {
  let types = eventTypes.slice(0, 3);
  if (types.length === 0) {
    const top = await get("/stats/top-events", { limit: 3 }, { signal });
    types = top.data.map((/** @type {{ event_type: string }} */ one) => one.event_type);
  }
  const answers = await Promise.all(types.map(segment).filter((name) => name !== null).map((name) => get(`/event-types/${name}/properties`, {}, { signal })));
  return answers.flatMap((answer) => answer.data);
}

/** @param {readonly string[]} eventTypes */
function propertiesOf(eventTypes) {
  /** @param {string} query @param {AbortSignal} signal */
  return async (query, signal) => {
    const found = await ask(eventTypes, signal);
    const shares = new Map(found.map(({ property, share }) => [property, share]));
    return [...shares].filter(([name]) => has(name, query)).map(([value, share]) => ({ value, note: percent(share * 100) }));
  };
}

/** @param {readonly string[]} eventTypes @param {string} property */
function valuesOf(eventTypes, property) {
  /** @param {string} query @param {AbortSignal} signal */
  return async (query, signal) => {
    const found = (await ask(eventTypes, signal)).filter((one) => one.property === property);
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { value, count: times } of found.flatMap((one) => one.values)) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      counts.set(text, (counts.get(text) ?? 0) + times);
    }
    return [...counts].filter(([text]) => has(text, query)).map(([value, times]) => ({ value, note: count(times, "event") }));
  };
}

/** @param {string} text @param {string} part */
function has(text, part) {
  return text.toLowerCase().includes(part.toLowerCase());
}
