// How many people take one step after the other: a builder of funnels, and what comes out.

import { get } from "../api.js";
import { useAsk } from "../answer.js";
import { Select } from "../parts/controls.js";
import { Breakdown, Filters } from "../parts/filters.js";
import { FunnelResult } from "../parts/funnel_result.js";
import { Nothing } from "../parts/nothing.js";
import { Card, Page } from "../parts/page.js";
import { daysOf, PeriodPicker } from "../parts/period_picker.js";
import { Answered, Empty } from "../parts/states.js";
import { Steps } from "../parts/steps.js";
import { fixed } from "../period.js";
import { href, useParams } from "../route.js";
import { html, useEffect, useState } from "../view.js";
import { readWithin, UNIT_NAMES, withinInWords } from "../within.js";

/** @typedef {import("../types.js").Funnel} Funnel */

const DEFAULTS = { steps: [], period: "30d", within: "7d", where: [], breakdown: "", of: "" };
/** How long the steps must stay as they are before the question is asked, because funnels are costly. */
const PAUSE_MS = 300;

export default function FunnelPage() {
  const [view, change] = useParams(DEFAULTS);
  const days = daysOf(view.period);
  const within = readWithin(view.within) ? view.within : DEFAULTS.within;
  const params = { steps: view.steps, ...days, within, where: view.where, breakdown: view.breakdown };
  const isAsked = view.steps.length >= 2;
  const answer = useAsk(isAsked ? async (signal) => {
    await pause(signal);
    const funnel = await get("/stats/funnel", params, { signal });
    return /** @type {{ funnel: Funnel, asked: typeof params }} */ ({ funnel, asked: params });
  } : null, [JSON.stringify(params), isAsked]);
  const { of, ...kept } = view;
  const fixedLink = href("funnel", { ...kept, within: within === DEFAULTS.within ? "" : within, period: fixed(days) });
  const controls = html`
    <${PeriodPicker} value=${view.period} onChange=${(/** @type {string} */ period) => change({ period })} />
    <${Within} value=${within} onChange=${(/** @type {string} */ to) => change({ within: to })} />
    <${Filters} value=${view.where} eventTypes=${view.steps} onChange=${(/** @type {string[]} */ where) => change({ where })} />
    <${Breakdown} value=${view.breakdown} eventTypes=${view.steps.slice(0, 1)} onChange=${(/** @type {string} */ breakdown) => change({ breakdown, of: "" })} />`;
  return html`<${Page} title="Funnels" controls=${controls}>
    <div class="funnel-page">
      <${Card} title="Steps">
        <${Steps} value=${view.steps} onChange=${(/** @type {string[]} */ steps) => change({ steps, of: "" })} />
        <${Explanation} within=${within} hasFilters=${view.where.length > 0} />
      <//>
      <div>${isAsked
        ? html`<${Answered} answer=${answer} height=${100 + 76 * view.steps.length} isEmpty=${(/** @type {{ funnel: Funnel }} */ { funnel }) => entered(funnel) === 0} empty=${html`<${Nobody} first=${view.steps[0] ?? ""} isFiltered=${view.where.length > 0} />`}>
            ${(/** @type {{ funnel: Funnel, asked: typeof params }} */ { funnel, asked }) => html`<${FunnelResult} funnel=${funnel} asked=${asked} of=${view.of} onChoose=${(/** @type {string} */ to) => change({ of: to })}
              question=${{ path: "/stats/funnel", params: asked }} fixedLink=${fixedLink} />`}
          <//>`
        : html`<${Card}><${Empty} title=${view.steps.length === 0 ? "Choose the first step" : "Choose the next step"}><p>A funnel has two steps or more. Each is a type of event, such as a page view, and then a purchase.</p><//><//>`}</div>
    </div>
  <//>`;
}

/** @param {AbortSignal} signal */
function pause(signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, PAUSE_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/**
 * People in the first step.
 * @param {Funnel} funnel
 */
function entered(funnel) {
  return funnel.data.reduce((sum, one, index) => sum + ("steps" in one ? (one.steps[0]?.users ?? 0) : index === 0 ? one.users : 0), 0);
}

/** @param {{ first: string, isFiltered: boolean }} props */
function Nobody({ first, isFiltered }) {
  return html`<${Nothing} isFiltered=${isFiltered} what="people who entered in this period"><p>The first step is <bdi>${first}</bdi>. If you typed a part of a name, choose the whole one from the suggestions.</p><//>`;
}

/** @param {{ within: string, hasFilters: boolean }} props */
function Explanation({ within, hasFilters }) {
  return html`<p class="note steps-note">People enter with an event of the first step in the period. Each further step counts if it comes after the step before and at most ${withinInWords(within)} after the
    first, also after the last day. Other events may be in between.${hasFilters && " The filters apply to the events of every step."} Alt ↑ and Alt ↓ change the order.</p>`;
}

/** @param {{ value: string, onChange: (within: string) => void }} props */
function Within({ value, onChange }) {
  const now = readWithin(value);
  const unit = now?.unit ?? "d";
  const [text, setText] = useState(String(now?.number ?? 7));
  useEffect(() => setText(String(readWithin(value)?.number ?? 7)), [value]);
  const isWrong = readWithin(`${text}${unit}`) === null;
  /** @param {string} within */
  const apply = (within) => readWithin(within) && onChange(within);
  return html`<div class="inline-field" role="group" aria-label="Time for all steps"><span>within</span>
    <input type="number" class="within" aria-label="Time for all steps" min="1" step="1" value=${text} aria-invalid=${isWrong} title=${isWrong ? "From 1 minute to 90 days" : undefined}
      onInput=${(/** @type {any} */ event) => setText(event.target.value)} onChange=${(/** @type {any} */ event) => apply(`${event.target.value}${unit}`)} />
    <${Select} label="" name="Unit of the time" value=${unit} options=${UNIT_NAMES} onChange=${(/** @type {string} */ to) => (readWithin(`${text}${to}`) ? onChange(`${text}${to}`) : onChange(`1${to}`))} />
    ${isWrong && html`<span class="wrong" role="status">1 minute to 90 days</span>`}
  </div>`;
}
