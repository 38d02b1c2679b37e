// The details of one event of a list, beside it or, on a small screen, above its lower part.

import { get } from "../api.js";
import { useAsk } from "../answer.js";
import { exact } from "../json.js";
import { html, useEffect, useId, useRef } from "../view.js";
import { Id } from "./controls.js";
import { EventDetail } from "./event_detail.js";
import { keyOf } from "./event_rows.js";
import { Answered, Empty } from "./states.js";

/** @typedef {import("../types.js").Event} Event */

/**
 * @param {object} props
 * @param {string} props.id
 * @param {string} props.at when it happened; the latest event with the id if empty
 * @param {readonly Event[]} props.rows the list, in which it usually is
 * @param {(event: Event) => string} props.hrefOf shows another event of the list
 * @param {() => void} props.onClose
 */
export function EventBeside({ id, at, rows, hrefOf, onClose }) {
  const labelId = useId();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const place = rows.findIndex((event) => event.event_id === id && (at === "" || event.occurred_at === at));
  const isListed = place >= 0;
  const asked = useAsk(isListed ? null : async (signal) => {
    const { data } = await get("/events", { event_id: id }, { signal, parse: exact });
    return /** @type {Event[]} */ (data).filter((event) => at === "" || event.occurred_at === at).slice(0, 1);
  }, [id, at, isListed]);
  const listed = rows[place];
  const answer = listed ? { data: [listed], problem: null, isLoading: false, reload: () => {} } : asked;
  useEffect(() => {
    const opener = document.activeElement;
    heading.current?.focus({ preventScroll: true });
    return () => {
      // Back to the row, unless the person is elsewhere already.
      if (opener instanceof HTMLElement && opener.isConnected && (document.activeElement === document.body || document.activeElement === null)) opener.focus({ preventScroll: true });
    };
  }, []);
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const press = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented && !(event.target instanceof Element && event.target.closest("dialog, input, select, [role=menu]"))) onClose();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  const [before, after] = [isListed ? rows[place - 1] : undefined, isListed ? rows[place + 1] : undefined];
  return html`<section class="card beside-card" aria-labelledby=${labelId}>
    <header class="card-head">
      <h2 id=${labelId} ref=${heading} tabindex="-1">${listed ? html`<${Id} text=${listed.event_type} />` : "Event"}</h2>
      <div class="card-actions">
        ${before && html`<a class="button small ghost" href=${hrefOf(before)} aria-label="The event above in the list" title="The event above in the list">↑</a>`}
        ${after && html`<a class="button small ghost" href=${hrefOf(after)} aria-label="The event below in the list" title="The event below in the list">↓</a>`}
        <button type="button" class="small ghost" aria-label="Close the details" title="Close (Escape)" onClick=${onClose}>✕</button>
      </div>
    </header>
    <${Answered} answer=${answer} height=${320} isEmpty=${(/** @type {Event[]} */ found) => found.length === 0} empty=${html`<${Empty} title="This event is not stored" />`}>
      ${(/** @type {Event[]} */ found) => found[0] && html`<${EventDetail} key=${keyOf(found[0])} event=${found[0]} />`}
    <//>
  </section>`;
}
