// Which days are shown: presets, two dates, the period before and after. Keys: d today, w a week, m a month, and the
// arrows for the period before and after.

import { days as daysText } from "../format.js";
import { addDays, fixed, isDay, KEYS, length, MAX_DAYS, PRESETS, resolve, shift } from "../period.js";
import { today, zone } from "../session.js";
import { html, useEffect, useState } from "../view.js";

/**
 * The days of a period as in the address of a page. A wrong name means the default.
 * @param {string} name
 * @param {string} [fallback]
 * @returns {import("../period.js").Days}
 */
export function daysOf(name, fallback = "30d") {
  const now = today();
  return resolve(name, now) ?? resolve(fallback, now) ?? { from: now, to: now };
}

/**
 * @param {{ value: string, onChange: (period: string) => void, maxDays?: number }} props `value` is a period as in addresses
 */
export function PeriodPicker({ value, onChange, maxDays = MAX_DAYS }) {
  const now = today();
  const days = daysOf(value);
  const isPreset = PRESETS.some(([name]) => name === value);
  const [isCustom, setCustom] = useState(!isPreset);
  const isLast = shift(days, 1).from > now;
  /** @param {number} steps */
  const step = (steps) => {
    const moved = shift(days, steps);
    if (moved.from <= now) onChange(fixed({ from: moved.from, to: moved.to > now ? now : moved.to }));
  };
  useEffect(() => setCustom(!isPreset), [value]);
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const press = (event) => {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isBusy(event.target)) return;
      const preset = KEYS[event.key];
      if (preset) onChange(preset);
      else if (event.key === "ArrowLeft") step(-1);
      else if (event.key === "ArrowRight") step(1);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  /** @param {string} preset */
  const choose = (preset) => (preset === "custom" ? setCustom(true) : onChange(preset));
  return html`<div class="period" role="group" aria-label="Period">
    <button type="button" class="small" aria-label="Period before" title="Period before (←)" onClick=${() => step(-1)}>‹</button>
    <label><span class="unseen">Period</span>
      <select value=${isCustom ? "custom" : value} onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
        ${PRESETS.map(([name, label]) => html`<option key=${name} value=${name} selected=${!isCustom && name === value}>${label}</option>`)}
        <option value="custom" selected=${isCustom}>Dates …</option>
      </select>
    </label>
    ${isCustom && html`<${Dates} days=${days} now=${now} maxDays=${maxDays} onChange=${onChange} />`}
    <button type="button" class="small" aria-label="Period after" title="Period after (→)" disabled=${isLast} onClick=${() => step(1)}>›</button>
    <span class="period-days">${daysText(days)} <span class="quiet zone" title="Days begin and end in the time zone of the project">${zone()}</span></span>
  </div>`;
}

/** @param {{ days: import("../period.js").Days, now: string, maxDays: number, onChange: (period: string) => void }} props */
function Dates({ days, now, maxDays, onChange }) {
  const [from, setFrom] = useState(days.from);
  const [to, setTo] = useState(days.to);
  useEffect(() => {
    setFrom(days.from);
    setTo(days.to);
  }, [days.from, days.to]);
  const problem = !isDay(from) || !isDay(to) ? "Choose two dates" : from > to ? "The first day is after the last" : length({ from, to }) > maxDays ? `At most ${maxDays} days` : "";
  /** @param {Event} event */
  const apply = (event) => {
    event.preventDefault();
    if (!problem) onChange(fixed({ from, to }));
  };
  return html`<form class="dates" onSubmit=${apply}>
    <input type="date" aria-label="First day" value=${from} max=${now} min=${addDays(now, -36500)} onInput=${(/** @type {any} */ event) => setFrom(event.target.value)} />
    <span aria-hidden="true">–</span>
    <input type="date" aria-label="Last day" value=${to} max=${now} onInput=${(/** @type {any} */ event) => setTo(event.target.value)} />
    <button type="submit" class="small" disabled=${problem !== ""} title=${problem}>Apply</button>
    ${problem && html`<span class="quiet" role="status">${problem}</span>`}
  </form>`;
}

/**
 * Whether keys are for what has the focus: a field, or a chart or table with a cursor of its own.
 * @param {EventTarget | null} target
 */
function isBusy(target) {
  return target instanceof Element && target.closest("input, select, textarea, dialog, [role=menu], [role=listbox], [tabindex='0']") !== null;
}
