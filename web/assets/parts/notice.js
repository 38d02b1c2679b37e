// Problems and other messages.

import { html, useEffect, useRef, useState } from "../view.js";

/** What to do about each kind of problem. */
const ADVICE = /** @type {Record<import("../api.js").ProblemKind, { title: string, advice: string }>} */ ({
  signed_out: { title: "You are signed out", advice: "Sign in again with an API key." },
  forbidden: { title: "This key may not do that", advice: "Sign in with a key that has the scope." },
  invalid: { title: "This question cannot be answered", advice: "" },
  missing: { title: "Not found", advice: "" },
  limited: { title: "Too many requests", advice: "" },
  slow: { title: "This takes too long", advice: "Choose a shorter period or fewer filters." },
  away: { title: "A server is away", advice: "Nothing is lost: events are kept and stored later." },
  offline: { title: "No connection", advice: "" },
  failed: { title: "Something went wrong", advice: "" },
});
/** Kinds that pass by themselves. They are tried again, first after this time. */
const PASSING = new Set(["limited", "away", "offline"]);
const RETRY_MS = 5000;
const MAX_RETRY_MS = 60_000;

/**
 * A problem and what helps. A problem that passes by itself is tried again, with a countdown.
 * @param {{ problem: import("../api.js").Problem, onRetry?: () => void }} props
 */
export function Notice({ problem, onRetry }) {
  const attempts = useRef(0);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (!onRetry || !PASSING.has(problem.kind)) return undefined;
    const wait = Math.min(RETRY_MS * 2 ** attempts.current, MAX_RETRY_MS);
    attempts.current += 1;
    const at = Math.max(problem.retryAt ?? 0, Date.now() + (problem.retryAt ? 0 : wait));
    const tick = () => {
      const seconds = Math.ceil((at - Date.now()) / 1000);
      setLeft(Math.max(0, seconds));
      if (seconds <= 0) {
        clearInterval(timer);
        onRetry();
      }
    };
    const timer = setInterval(tick, 1000);
    tick();
    return () => clearInterval(timer);
  }, [problem]);
  const { title, advice } = ADVICE[problem.kind];
  return html`
    <div class="notice problem" role="alert">
      <p><strong>${title}.</strong> ${sentence(problem.message)} ${advice}</p>
      ${problem.errors.length > 0 && html`<ul>${problem.errors.slice(0, 10).map((error) => html`<li><code>${error.field}</code>: ${error.message}</li>`)}</ul>`}
      ${problem.kind === "failed" && problem.requestId && html`<p class="quiet">Request <code>${problem.requestId}</code></p>`}
      ${onRetry && html`<p class="notice-actions">
        <button type="button" class="small" onClick=${onRetry}>Try again</button>
        ${left > 0 && html`<span class="quiet" aria-hidden="true">Trying again in ${left} s</span>`}
      </p>`}
    </div>
  `;
}

/**
 * A message that is no problem.
 * @param {{ children?: any, kind?: "info" | "success" | "warning" }} props
 */
export function Message({ children, kind = "info" }) {
  return html`<div class=${`notice ${kind}`} role="status">${children}</div>`;
}

/** @param {string} text */
function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}
