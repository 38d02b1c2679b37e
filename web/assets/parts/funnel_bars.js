// The steps of a funnel as bars, each with its users, both percentages and the median time.

import { duration, full, Num, percent } from "../format.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").FunnelStep} FunnelStep */

/**
 * @param {{ steps: readonly FunnelStep[], isComplete: boolean, caption: string }} props
 */
export function FunnelBars({ steps, isComplete, caption }) {
  return html`<ol class="funnel" aria-label=${caption}>
    ${steps.map((step, index) => html`<li key=${index}>
      <div class="funnel-head">
        <span class="funnel-number" aria-hidden="true">${index + 1}</span><bdi class="funnel-name" title=${step.step}>${step.step}</bdi>
        <span class="funnel-users"><${Num} value=${step.users} unit="people" /> people</span>
      </div>
      <div class="funnel-track" aria-hidden="true"><div class="funnel-bar" style=${{ width: `${step.percent_of_first}%` }}></div></div>
      <p class="note">${index === 0 ? "entered" : html`<b>${percent(step.percent_of_first)}</b> of the first step, <b>${percent(step.percent_of_previous)}</b> of the step before${step.median_seconds !== null && html`, median <b>${duration(step.median_seconds)}</b>`} ${lost(steps[index - 1], step, isComplete)}`}</p>
    </li>`)}
  </ol>`;
}

/**
 * Whoever is still within the window of the funnel is not lost.
 * @param {FunnelStep | undefined} before
 * @param {FunnelStep} step
 * @param {boolean} isComplete
 */
function lost(before, step, isComplete) {
  const missing = (before?.users ?? 0) - step.users;
  return html`<span class="quiet">· ${full(missing)} ${isComplete ? "went no further" : "not yet"}</span>`;
}
