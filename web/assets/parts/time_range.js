// When the rows of a list happened: any time, a while up to now, or from one time to another. Times are those of the
// project's zone.
//
// In an address it is "1h", "24h", a preset or two days as in period.js, or two local times:
// "2025-10-01T14:00..2025-10-01T14:05", of which the second is not included.

import { now } from "../api.js";
import { instantOf, isLocalTime, localTime } from "../clock.js";
import { addDays, resolve } from "../period.js";
import { today, zone } from "../session.js";
import { html, useEffect, useState } from "../view.js";
import { Select } from "./controls.js";

const HOUR_MS = 3_600_000;
const RANGES = /** @type {const} */ ([
  ["", "Any time"], ["1h", "Last hour"], ["24h", "Last 24 hours"], ["today", "Today"], ["yesterday", "Yesterday"], ["7d", "Last 7 days"], ["30d", "Last 30 days"], ["90d", "Last 90 days"],
]);
/** Hours up to now. */
const HOURS = /^(\d{1,4})h$/;

/**
 * The parameters of a question about rows. A wrong range means any time.
 * @param {string} range as in the address
 * @returns {{ from?: string, to?: string }}
 */
export function spanOf(range) {
  const hours = HOURS.exec(range);
  if (hours) return { from: new Date(now() - Number(hours[1]) * HOUR_MS).toISOString() };
  const [from, to, more] = range.split("..");
  if (more === undefined && isLocalTime(from) && isLocalTime(to) && from < to) return { from: instantOf(from, zone(), "first"), to: instantOf(to, zone(), "last") };
  const days = range === "" ? null : resolve(range, today());
  return days ?? {};
}

/**
 * The same range with fixed times, for links.
 * @param {string} range
 */
export function fixedRange(range) {
  const { from, to } = spanOf(range);
  if (from === undefined) return "";
  if (range.includes("..")) return range;
  return to === undefined ? `${localTime(Date.parse(from), zone())}..${localTime(now(), zone())}` : `${from}..${to}`;
}

/**
 * @param {{ value: string, onChange: (range: string) => void, label?: string }} props
 */
export function TimeRange({ value, onChange, label = "Time" }) {
  const hours = HOURS.exec(value)?.[1];
  const ranges = hours && !RANGES.some(([name]) => name === value) ? [...RANGES, [value, `Last ${hours} hours`]] : RANGES;
  const isNamed = ranges.some(([name]) => name === value);
  const [isCustom, setCustom] = useState(!isNamed);
  useEffect(() => setCustom(!isNamed), [value]);
  /** @param {string} to */
  const choose = (to) => (to === "custom" ? setCustom(true) : onChange(to));
  return html`<div class="period" role="group" aria-label=${label}>
    <${Select} label=${label} value=${isCustom ? "custom" : value} options=${[...ranges, ["custom", "From … to …"]]} onChange=${choose} />
    ${isCustom && html`<${Times} value=${value} onChange=${onChange} />`}
    <span class="quiet zone" title="Times are those of the project">${zone()}</span>
  </div>`;
}

/** @param {{ value: string, onChange: (range: string) => void }} props */
function Times({ value, onChange }) {
  const shown = timesOf(value);
  const [from, setFrom] = useState(shown.from);
  const [to, setTo] = useState(shown.to);
  useEffect(() => {
    setFrom(shown.from);
    setTo(shown.to);
  }, [shown.from, shown.to]);
  const problem = !isLocalTime(from) || !isLocalTime(to) ? "Choose two times" : from >= to ? "The first time is not before the second" : "";
  /** @param {Event} event */
  const apply = (event) => {
    event.preventDefault();
    if (!problem) onChange(`${from}..${to}`);
  };
  return html`<form class="dates" onSubmit=${apply}>
    <input type="datetime-local" step="1" aria-label="From" value=${from} onInput=${(/** @type {any} */ event) => setFrom(event.target.value)} />
    <span aria-hidden="true">–</span>
    <input type="datetime-local" step="1" aria-label="Until, not included" value=${to} onInput=${(/** @type {any} */ event) => setTo(event.target.value)} />
    <button type="submit" class="small" disabled=${problem !== ""} title=${problem}>Apply</button>
    ${problem && html`<span class="quiet" role="status">${problem}</span>`}
  </form>`;
}

/**
 * What the two fields begin with: the range as local times, or the last day.
 * @param {string} range
 */
function timesOf(range) {
  const [from, to] = range.split("..");
  if (isLocalTime(from) && isLocalTime(to)) return { from, to };
  const days = resolve(range, today()) ?? { from: today(), to: today() };
  return { from: `${days.from}T00:00`, to: `${addDays(days.to, 1)}T00:00` };
}
