// The states of something that is asked for: loading, failed, nothing there, there. They are never confused: "nothing"
// is shown only when an answer says so, and while a new answer is on its way the old one stays, paler.

import { html } from "../view.js";
import { Notice } from "./notice.js";

/** Nothing needs less room than something: it has one line to say. */
const EMPTY_PX = 280;

/**
 * Shows an answer, or why there is none. It keeps its height while it loads, so that nothing below jumps.
 * @template T
 * @param {object} props
 * @param {import("../answer.js").Answer<T>} props.answer
 * @param {(data: T) => boolean} [props.isEmpty]
 * @param {any} [props.empty] shown instead of the children when the answer is empty
 * @param {number} [props.height] in pixels, of what is shown while it loads
 * @param {(data: T) => any} props.children
 */
export function Answered({ answer, isEmpty, empty, height = 240, children }) {
  const { data, problem, isLoading, reload } = answer;
  const notice = problem && html`<${Notice} problem=${problem} onRetry=${reload} />`;
  if (data === null) return notice ?? html`<${Skeleton} height=${height} />`;
  const isNothing = isEmpty?.(data) ?? false;
  return html`
    ${notice}
    <div class=${isLoading ? "answered stale" : "answered"} aria-busy=${isLoading}>
      ${isNothing ? html`<div class="empty-room" style=${{ minHeight: `${Math.min(height, EMPTY_PX)}px` }}>${empty ?? html`<${Empty} title="Nothing here" />`}</div>` : children(data)}
    </div>
  `;
}

/**
 * A grey area where an answer will be. It appears only after a moment, because most answers take less.
 * @param {{ height?: number }} props
 */
export function Skeleton({ height = 240 }) {
  return html`<div class="skeleton" style=${{ height: `${height}px` }} role="status"><span class="unseen">Loading</span></div>`;
}

/**
 * Says that there is nothing, and what to do about it.
 * @param {{ title: string, children?: any }} props
 */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}
