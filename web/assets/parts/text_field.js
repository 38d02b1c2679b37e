// A field of a form, with what the service says about it.

import { html, useId } from "../view.js";

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {(value: string) => void} props.onChange
 * @param {string} [props.name] of the field in the request, to find its problem
 * @param {import("../api.js").Problem | null} [props.problem] of the latest request
 * @param {any} [props.note]
 * @param {"text" | "number" | "date"} [props.type]
 * @param {number | string} [props.min]
 * @param {number} [props.max]
 * @param {string} [props.placeholder]
 * @param {boolean} [props.isRequired]
 * @param {boolean} [props.isDisabled]
 */
export function TextField({ label, value, onChange, name, problem, note, type = "text", min, max, placeholder, isRequired, isDisabled }) {
  const id = useId();
  const wrong = problem?.errors.find((error) => error.field === name)?.message;
  return html`<div class="field">
    <label class="field-name" for=${id}>${label}</label>
    <input id=${id} type=${type} value=${value} min=${min} max=${max} step=${type === "number" ? 1 : undefined} placeholder=${placeholder} required=${isRequired} disabled=${isDisabled}
      dir=${type === "text" ? "auto" : undefined} autocomplete="off" spellcheck=${false} aria-invalid=${wrong !== undefined} aria-describedby=${`${id}-note`}
      onInput=${(/** @type {any} */ event) => onChange(event.target.value)} />
    <p class="note" id=${`${id}-note`}>${wrong !== undefined && html`<b class="wrong">${wrong}</b> `}${note}</p>
  </div>`;
}

/**
 * The number in a field; null if it is empty.
 * @param {string} text
 */
export function numberOf(text) {
  return text.trim() === "" ? null : Number(text);
}
