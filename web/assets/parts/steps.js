// The steps of a funnel as a list whose order is changed by buttons, or by Alt with an arrow key.

import { html, useEffect, useRef } from "../view.js";
import { suggestTypes } from "./filters.js";
import { TypeAhead } from "./type_ahead.js";

/** Most steps of a funnel. */
const MAX_STEPS = 10;

/**
 * @param {{ value: readonly string[], onChange: (steps: string[]) => void }} props
 */
export function Steps({ value, onChange }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  /** What has the focus after the order has changed: the place of a step and the name of a button of it. */
  const focus = useRef(/** @type {{ at: number, button: string } | null} */ (null));
  useEffect(() => {
    if (!focus.current) return;
    const { at, button } = focus.current;
    focus.current = null;
    const step = list.current?.children[at];
    // At either end one of the buttons is off; then the other one has the focus.
    /** @type {HTMLElement | null | undefined} */ (step?.querySelector(`[data-does="${button}"]:not(:disabled)`) ?? step?.querySelector("[data-does]:not(:disabled)"))?.focus();
  }, [value]);
  /** @param {number} from @param {number} to @param {string} button */
  const move = (from, to, button) => {
    if (to < 0 || to >= value.length) return;
    const steps = [...value];
    steps.splice(to, 0, ...steps.splice(from, 1));
    focus.current = { at: to, button };
    onChange(steps);
  };
  /** @param {number} at */
  const remove = (at) => {
    focus.current = { at: Math.max(0, at - 1), button: "remove" };
    onChange(value.filter((_, index) => index !== at));
  };
  return html`<div class="steps">
    <ol ref=${list} aria-label="Steps of the funnel">
      ${value.map((step, at) => html`<li key=${at} class="step" onKeyDownCapture=${(/** @type {KeyboardEvent} */ event) => {
        if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
        event.preventDefault();
        event.stopPropagation();
        const isUp = event.key === "ArrowUp";
        move(at, at + (isUp ? -1 : 1), isUp ? "up" : "down");
      }}>
        <span class="step-number" aria-hidden="true">${at + 1}</span>
        <${TypeAhead} label=${`Step ${at + 1}`} value=${step} keeps=${true} suggest=${suggestTypes} onPick=${(/** @type {string} */ type) => type !== step && onChange(type === "" ? value.filter((_, index) => index !== at) : value.map((one, index) => (index === at ? type : one)))} />
        <span class="step-buttons">
          <button type="button" class="small ghost" data-does="up" disabled=${at === 0} aria-label=${`Move ${step} up`} title="Up (Alt ↑)" onClick=${() => move(at, at - 1, "up")}>↑</button>
          <button type="button" class="small ghost" data-does="down" disabled=${at === value.length - 1} aria-label=${`Move ${step} down`} title="Down (Alt ↓)" onClick=${() => move(at, at + 1, "down")}>↓</button>
          <button type="button" class="small ghost" data-does="remove" aria-label=${`Remove ${step}`} title="Remove" onClick=${() => remove(at)}>✕</button>
        </span>
      </li>`)}
    </ol>
    ${value.length < MAX_STEPS && html`<div class="step">
      <span class="step-number" aria-hidden="true">${value.length + 1}</span>
      <${TypeAhead} label=${value.length === 0 ? "First step" : "Add a step"} suggest=${suggestTypes} onPick=${(/** @type {string} */ type) => onChange([...value, type])} />
    </div>`}
  </div>`;
}
