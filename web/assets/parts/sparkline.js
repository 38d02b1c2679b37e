// A small line without axes, beside a number that says what it shows.

import { html } from "../view.js";

/**
 * @param {{ values: readonly number[], unfinished?: number }} props `unfinished` is how many of the last values will still grow
 */
export function Sparkline({ values, unfinished = 0 }) {
  const [width, height] = [120, 28];
  if (values.length < 2) return html`<svg class="sparkline" viewBox=${`0 0 ${width} ${height}`} aria-hidden="true"></svg>`;
  const most = Math.max(1, ...values);
  const at = values.map((value, index) => `${((index / (values.length - 1)) * width).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`);
  const end = values.length - unfinished;
  return html`<svg class="sparkline" viewBox=${`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
    <polyline points=${at.slice(0, end).join(" ")} />
    ${unfinished > 0 && html`<polyline class="dashed" points=${at.slice(Math.max(0, end - 1)).join(" ")} />`}
  </svg>`;
}
