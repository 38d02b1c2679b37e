// Below a list that is read page by page: how many rows are there, and a button for the next ones.

import { count, full } from "../format.js";
import { html } from "../view.js";
import { Notice } from "./notice.js";

/**
 * @param {{ list: import("../list.js").List, one: string, many?: string }} props names of the rows: "event"
 */
export function More({ list, one, many = `${one}s` }) {
  const rows = list.data?.length ?? 0;
  const text = list.hasMore ? `The first ${count(rows, one, many)}` : rows === 1 ? `1 ${one}` : `All ${full(rows)} ${many}`;
  return html`<div class="more">
    ${list.moreProblem && html`<${Notice} problem=${list.moreProblem} onRetry=${list.more} />`}
    <span class="note" role="status">${list.hasMore && rows === 0 ? "Nothing found so far. There are older rows that have not been searched." : text}</span>
    ${list.hasMore && html`<button type="button" class="small" disabled=${list.isLoadingMore || list.isLoading} onClick=${list.more}>${list.isLoadingMore ? "Loading …" : rows === 0 ? "Search further" : "Load more"}</button>`}
  </div>`;
}
