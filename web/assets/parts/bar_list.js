// A list of names with a bar for each number, the largest first.

import { full, Num, percent } from "../format.js";
import { html } from "../view.js";
import { Id } from "./controls.js";

/**
 * @param {object} props
 * @param {string} props.caption
 * @param {readonly { name: string, value: number, href?: string, compared?: any }[]} props.rows
 * @param {string} [props.unit] of the number, on hover
 * @param {number} [props.total] what the shares are of; none are shown if absent
 */
export function BarList({ caption, rows, unit, total }) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return html`<table class="bar-list">
    <caption class="unseen">${caption}</caption>
    <tbody>${rows.map((row) => html`<tr key=${row.name}>
      <th scope="row"><span class="bar" aria-hidden="true" style=${{ width: `${(row.value / most) * 100}%` }}></span><span class="bar-name"><${Id} text=${row.name} href=${row.href} /></span></th>
      ${row.compared !== undefined && html`<td class="bar-compared">${row.compared}</td>`}
      <td class="number"><${Num} value=${row.value} unit=${unit} /></td>
      ${total !== undefined && html`<td class="number quiet" title=${`of ${full(total)}`}>${percent(total > 0 ? (row.value / total) * 100 : null)}</td>`}
    </tr>`)}</tbody>
  </table>`;
}
