// How a number compares with the one before: in words and with an arrow, never by colour alone.

import { change, full, percent } from "../format.js";
import { html } from "../view.js";

/**
 * @param {{ now: number, before: number | null | undefined, than: string, isShort?: boolean }} props `than` names what it is compared with; short ones show only the change
 */
export function Change({ now, before, than, isShort }) {
  if (before === null || before === undefined) return html`<span class="quiet">–</span>`;
  const by = change(now, before);
  const title = `${full(now)}, ${than}: ${full(before)}`;
  if (by === null) return html`<span class="change quiet" title=${title}>${now === 0 ? "none before either" : isShort ? "new" : "none before"}</span>`;
  const kind = by > 0 ? "up" : by < 0 ? "down" : "same";
  const words = `${{ up: "more than", down: "less than", same: "as" }[kind]} ${than}`;
  return html`<span class=${`change ${kind}`} title=${title}>
    <span aria-hidden="true">${{ up: "↑", down: "↓", same: "=" }[kind]}</span> ${percent(Math.abs(by))} <span class=${isShort ? "unseen" : "quiet"}>${words}</span>
  </span>`;
}
