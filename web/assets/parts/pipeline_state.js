// Where an event is: in the queue, stored, or a dead letter with the reason.

import { segment } from "../api.js";
import { useAnswer } from "../answer.js";
import { count, longDay, Time } from "../format.js";
import { href } from "../route.js";
import { may, zone } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { Answered } from "./states.js";

/** How often to look whether an unknown event has arrived, and for how long: what is in the queue is stored in a moment. */
const LOOK_MS = 2000;
const MOST_LOOKS = 30;

/** @typedef {{ event_id: string, status: "stored", days: string[], undated: boolean } | { event_id: string, status: "dead_lettered", dead_letter: import("../types.js").DeadLetter } | { event_id: string, status: "unknown" }} State */

/**
 * The part of another event needs another key.
 * @param {{ eventId: string, onStored?: () => void }} props `onStored` is called when an event arrives that was unknown before
 */
export function PipelineState({ eventId, onStored }) {
  const name = segment(eventId);
  const [looks, setLooks] = useState(0);
  const isWaiting = looks > 0 && looks < MOST_LOOKS;
  const answer = useAnswer(name === null ? null : `/pipeline/events/${name}`, {}, isWaiting ? { everyMs: LOOK_MS } : {});
  /** @type {State | null} */
  const state = answer.data;
  const before = useRef("");
  useEffect(() => {
    if (state === null) return;
    setLooks((number) => (state.status === "unknown" ? number + 1 : 0));
    if (before.current === "unknown" && state.status === "stored") onStored?.();
    before.current = state.status;
  }, [state]);
  if (name === null) return html`<p class="quiet">The state of an event with this id cannot be asked for.</p>`;
  return html`<${Answered} answer=${answer} height=${56}>${(/** @type {State} */ now) => html`<${Track} state=${now} />${words(now, isWaiting)}`}<//>`;
}

/** @param {{ state: State }} props */
function Track({ state }) {
  const isKnown = state.status !== "unknown";
  const steps = [
    { name: "Received", kind: isKnown ? "done" : "open" },
    { name: "Queue", kind: isKnown ? "done" : "open" },
    state.status === "dead_lettered" ? { name: "Dead letter", kind: "failed" } : { name: "Stored", kind: isKnown ? "done" : "open" },
  ];
  return html`<ol class="track" aria-hidden="true">${steps.map(({ name, kind }) => html`<li key=${name} class=${kind}>${{ done: "✓", failed: "✕", open: "" }[kind]} ${name}</li>`)}</ol>`;
}

/** @param {State} state @param {boolean} isWaiting */
function words(state, isWaiting) {
  switch (state.status) {
    case "stored":
      return html`<p>Stored.${state.days.length > 1 && html` <span class="quiet">The id was used on ${count(state.days.length, "day")} (UTC): ${state.days.map(longDay).join(", ")}. These are different events.</span>`}${state.undated && html` <span class="quiet">It was sent without a time.</span>`}</p>`;
    case "dead_lettered":
      return html`<p>It could not be stored: <bdi>${state.dead_letter.reason}</bdi> <code>${state.dead_letter.code}</code></p>
        <p class="quiet">${count(state.dead_letter.attempts, "attempt")}, kept since <${Time} at=${state.dead_letter.failed_at} zone=${zone()} />.
          ${may("admin") && html` <a href=${href("dead-letters", { id: state.dead_letter.id })}>Show the dead letter</a>`}</p>`;
    case "unknown":
      return html`<p role="status">Unknown: never received, or still in the queue.${isWaiting && html` <span class="quiet">This page looks again every ${LOOK_MS / 1000} s.</span>`}</p>`;
  }
}
