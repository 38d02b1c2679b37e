// What comes out of a funnel: its steps as bars, and with a breakdown the funnels of the values.

import { duration, full, Num, percent } from "../format.js";
import { savePng } from "../png.js";
import { html } from "../view.js";
import { Id } from "./controls.js";
import { DataTable } from "./data_table.js";
import { FunnelBars } from "./funnel_bars.js";
import { Card, Export } from "./page.js";
import { funnelPicture } from "./pictures.js";

/** @typedef {import("../types.js").Funnel} Funnel */
/** @typedef {import("../types.js").FunnelStep} FunnelStep */
/** @typedef {{ value: string | null, steps: FunnelStep[] }} OfValue */

/**
 * @param {object} props
 * @param {Funnel} props.funnel
 * @param {{ breakdown: string }} props.asked
 * @param {string} props.of which value is shown, as JSON; all of them if empty
 * @param {(of: string) => void} props.onChoose
 * @param {any} props.question
 * @param {string} props.fixedLink
 */
export function FunnelResult({ funnel, asked, of, onChoose, question, fixedLink }) {
  const values = asked.breakdown === "" ? null : /** @type {OfValue[]} */ (funnel.data);
  const chosen = values?.find((one) => JSON.stringify(one.value) === of);
  const steps = values === null ? /** @type {FunnelStep[]} */ (funnel.data) : (chosen?.steps ?? together(values));
  const last = steps.at(-1);
  const note = html`${last && html`<b>${percent(last.percent_of_first)}</b> of ${full(steps[0]?.users ?? 0)} people took all steps within ${duration(funnel.within_seconds)}.`}
    ${!funnel.complete && html` <span class="so-far">So far: who entered lately still has time, and is not counted as lost.</span>`}
    ${values !== null && !chosen && html` Each value has its own median times.`}`;
  const title = chosen ? html`Funnel of <bdi>${nameOf(chosen.value)}</bdi>` : "Funnel";
  const actions = html`${chosen && html`<button type="button" class="small ghost" onClick=${() => onChoose("")}>Show all values</button>`}
    <${Export} name="funnel" columns=${csvOf(asked.breakdown)} rows=${csvRows(funnel)} onPng=${() => savePng(funnelPicture(steps), "funnel.png", chosen ? `Funnel of ${nameOf(chosen.value)}` : "Funnel")} question=${question} fixedLink=${fixedLink} />`;
  return html`<${Card} title=${title} note=${note} actions=${actions}>
      <${FunnelBars} steps=${steps} isComplete=${funnel.complete} caption="Steps of the funnel" />
    <//>
    ${values !== null && html`<${Values} values=${values} breakdown=${asked.breakdown} of=${of} onChoose=${onChoose} />`}`;
}

/** @param {{ values: readonly OfValue[], breakdown: string, of: string, onChoose: (of: string) => void }} props */
function Values({ values, breakdown, of, onChoose }) {
  const steps = values[0]?.steps ?? [];
  /** @param {OfValue} row @param {number} at */
  const stepOf = (row, at) => /** @type {FunnelStep} */ (row.steps[at]);
  const columns = [
    { key: "value", label: breakdown, isWide: true, value: (/** @type {OfValue} */ row) => nameOf(row.value),
      show: (/** @type {OfValue} */ row) => html`<button type="button" class="link" aria-pressed=${JSON.stringify(row.value) === of} onClick=${() => onChoose(JSON.stringify(row.value))}><${Id} text=${nameOf(row.value)} /></button>` },
    ...steps.map((step, at) => ({
      key: `step-${at}`, label: `${at + 1} ${step.step}`, isNumber: true, isSortable: true, value: (/** @type {OfValue} */ row) => stepOf(row, at).users,
      show: (/** @type {OfValue} */ row) => html`<${Num} value=${stepOf(row, at).users} unit="people" />${at > 0 && html` <span class="quiet" title=${`${percent(stepOf(row, at).percent_of_previous)} of the step before, median ${duration(stepOf(row, at).median_seconds)}`}>${percent(stepOf(row, at).percent_of_first)}</span>`}`,
    })),
    { key: "all", label: "All steps", isNumber: true, isSortable: true, value: (/** @type {OfValue} */ row) => row.steps.at(-1)?.percent_of_first,
      show: (/** @type {OfValue} */ row) => html`<b>${percent(row.steps.at(-1)?.percent_of_first)}</b>` },
  ];
  return html`<${Card} title=${html`By <bdi>${breakdown}</bdi>`} note="The value is that of the event with which somebody entered. Choose one to see its funnel.">
    <${DataTable} caption=${`Funnels by ${breakdown}`} columns=${columns} rows=${values} rowKey=${(/** @type {OfValue} */ row) => JSON.stringify(row.value) + values.indexOf(row)} height=${420}
      onRow=${(/** @type {OfValue} */ row) => onChoose(JSON.stringify(row.value))} rowClass=${(/** @type {OfValue} */ row) => (JSON.stringify(row.value) === of ? "chosen" : "")} />
  <//>`;
}

/** @param {string | null} value */
function nameOf(value) {
  return value ?? "without the property";
}

/**
 * All values together. Each person has one value, so people add up; medians do not.
 * @param {readonly OfValue[]} values
 * @returns {FunnelStep[]}
 */
function together(values) {
  const sums = (values[0]?.steps ?? []).map((step, at) => ({ step: step.step, users: values.reduce((sum, one) => sum + (one.steps[at]?.users ?? 0), 0) }));
  /** @param {number} part @param {number} of */
  const share = (part, of) => (of > 0 ? (part / of) * 100 : 0);
  return sums.map(({ step, users }, at) => ({
    step, users, percent_of_first: share(users, sums[0]?.users ?? 0), percent_of_previous: share(users, sums[Math.max(0, at - 1)]?.users ?? 0), median_seconds: null,
  }));
}

/** @param {string} breakdown */
function csvOf(breakdown) {
  const columns = [
    { label: "value", value: (/** @type {any} */ row) => row.value },
    ...["step", "users", "percent_of_first", "percent_of_previous", "median_seconds"].map((label) => ({ label, value: (/** @type {any} */ row) => row.step[label] })),
  ];
  return breakdown === "" ? columns.slice(1) : columns;
}

/** @param {Funnel} funnel */
function csvRows(funnel) {
  return funnel.data.flatMap((one) => ("steps" in one ? one.steps.map((step) => ({ value: one.value, step })) : [{ value: null, step: one }]));
}
