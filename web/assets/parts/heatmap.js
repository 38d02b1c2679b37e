// A table whose cells are coloured by their value. The colour only repeats what the text in the cell says.

import { html } from "../view.js";

/**
 * @typedef {object} HeatCell
 * @property {number | null} value 0 to 100; null for nothing to show
 * @property {any} text what the cell says
 * @property {string} [title] more on hover
 * @property {boolean} [isOpen] the number will still grow: hatched, and marked "so far"
 */

/**
 * @param {object} props
 * @param {string} props.caption
 * @param {readonly any[]} props.heads names of the columns, the first one that of the rows
 * @param {readonly { key: string, head: any, note?: any, cells: readonly HeatCell[] }[]} props.rows `note` has the second column, such as the size
 * @param {string} [props.noteHead]
 * @param {number} [props.max] the value of the strongest colour; 100 if absent
 */
export function Heatmap({ caption, heads, rows, noteHead, max = 100 }) {
  const [rowHead, ...columns] = heads;
  return html`<div class="table-room" tabindex="0" role="region" aria-label=${caption}>
    <table class="heatmap">
      <caption class="unseen">${caption}</caption>
      <thead><tr><th scope="col">${rowHead}</th>${noteHead && html`<th scope="col" class="number">${noteHead}</th>`}${columns.map((head, index) => html`<th scope="col" key=${index} class="number">${head}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.key}>
        <th scope="row">${row.head}</th>
        ${noteHead && html`<td class="number">${row.note}</td>`}
        ${columns.map((_, index) => html`<${Cell} key=${index} cell=${row.cells[index]} max=${max} />`)}
      </tr>`)}</tbody>
    </table>
  </div>`;
}

/** @param {{ cell: HeatCell | undefined, max: number }} props */
function Cell({ cell, max }) {
  if (!cell || cell.value === null) return html`<td class="heat none">${cell?.text}</td>`;
  const strength = max > 0 ? Math.min(1, cell.value / max) : 0;
  // Ten steps, so that text keeps its contrast: style.css has a colour for the text of each.
  const step = Math.min(9, Math.floor(strength * 10));
  return html`<td class=${`heat heat-${step} ${cell.isOpen ? "open" : ""}`} title=${cell.title}>${cell.text}${cell.isOpen && html`<span class="unseen"> so far</span>`}</td>`;
}
