// Events as marks on a line of time, to see at a glance where they are close together. The table below says the same.

import { html } from "../view.js";

/** Marks that are drawn at most; more would be one bar. */
const MAX_MARKS = 2000;
const WIDTH = 1000;

/** @param {{ events: readonly import("../types.js").Event[] }} props */
export function EventStrip({ events }) {
  const times = events.slice(0, MAX_MARKS).map((event) => Date.parse(event.occurred_at));
  const [first, last] = times.reduce(([low, high], time) => [Math.min(low, time), Math.max(high, time)], [Infinity, -Infinity]);
  if (!(last > first)) return null;
  const places = new Set(times.map((time) => Math.round(((time - first) / (last - first)) * WIDTH)));
  return html`<svg class="event-strip" viewBox=${`-4 0 ${WIDTH + 8} 24`} preserveAspectRatio="none" aria-hidden="true">
    <path d=${[...places].map((x) => `M${x} 3V21`).join("")} />
  </svg>`;
}
