// Sending a test event: templates, the same as curl, and what became of it. An empty project shows it instead of the
// overview, and waits for the first event.

import { curl, get, send } from "../api.js";
import { asProblem } from "../answer.js";
import { Copy } from "../parts/controls.js";
import { Message, Notice } from "../parts/notice.js";
import { Card, Page } from "../parts/page.js";
import { href, useParams } from "../route.js";
import { may } from "../session.js";
import { html, useEffect, useMemo, useState } from "../view.js";

/** What people try first. The first one is the default. */
const TEMPLATES = /** @type {Record<string, Record<string, unknown>>} */ ({
  login: { event_type: "login", user_id: "ada", session_id: "s-1", properties: { plan: "free", method: "password" } },
  logout: { event_type: "logout", user_id: "ada", session_id: "s-1", properties: {} },
  "page view": { event_type: "page_view", user_id: "ada", session_id: "s-1", properties: { page: "/pricing", referrer: "https://example.org" } },
  click: { event_type: "click", user_id: "ada", session_id: "s-1", properties: { element: "sign-up", page: "/pricing" } },
  "add to cart": { event_type: "add_to_cart", user_id: "ada", session_id: "s-1", properties: { item: "umbrella", price: 19.9, cart: { currency: "EUR" } } },
  error: { event_type: "error", user_id: "ada", session_id: "s-1", properties: { message: "Payment was refused", code: 402 } },
});
const DEFAULTS = { template: "login" };
/** Time between two looks at whether the first event is there. */
const LOOK_MS = 1000;

export default function SendEvent() {
  return html`<${Page} title="Send a test event" about="The event is real: it is counted like any other in this project."><${Form} /><//>`;
}

/**
 * What an empty project shows.
 * @param {{ onStored: () => void }} props
 */
export function FirstEvent({ onStored }) {
  useEffect(() => {
    const timer = setInterval(async () => {
      const types = await get("/event-types", { limit: 1 }).catch(() => null);
      if (types && types.data.length > 0) onStored();
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  return html`
    <${Message}><p><strong>No events yet.</strong> This page waits for the first one and then shows the overview.</p><//>
    <${Form} isCurlFirst=${true} />
  `;
}

/** @param {{ isCurlFirst?: boolean }} props */
function Form({ isCurlFirst }) {
  const [view, change] = useParams(DEFAULTS);
  const template = useMemo(() => JSON.stringify(TEMPLATES[view.template] ?? TEMPLATES.login, null, 2), [view.template]);
  const [text, setText] = useState(template);
  const [sent, setSent] = useState(/** @type {{ id: string, status: string } | null} */ (null));
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const [isRunning, setRunning] = useState(false);
  useEffect(() => setText(template), [template]);
  const wrong = useMemo(() => {
    try {
      JSON.parse(text);
      return "";
    } catch (error) {
      return error instanceof Error ? error.message : "This is not JSON";
    }
  }, [text]);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    setRunning(true);
    setProblem(null);
    try {
      const answer = await send("POST", "/events", text, { wait: "stored" });
      setSent({ id: answer.event_ids?.[0] ?? answer.event_id ?? "", status: describe(answer) });
    } catch (error) {
      setSent(null);
      setProblem(asProblem(error));
    }
    setRunning(false);
  };
  const command = curl("/events", {}, { method: "POST", body: wrong ? text : JSON.stringify(JSON.parse(text)) });
  const form = html`<${Card} title="From here">
    <form class="form" onSubmit=${submit}>
      <div class="chips" role="group" aria-label="Templates">
        ${Object.keys(TEMPLATES).map((name) => html`<button type="button" class="small" key=${name} aria-pressed=${name === view.template} onClick=${() => { setText(JSON.stringify(TEMPLATES[name], null, 2)); change({ template: name }); }}>${name}</button>`)}
      </div>
      <label class="field"><span>The event as JSON</span>
        <textarea rows="12" spellcheck=${false} value=${text} aria-invalid=${wrong !== ""} aria-describedby="event-problem" onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea>
      </label>
      <p class="note" id="event-problem">${wrong ? html`<span class="wrong">${wrong}</span>` : "Any event as POST /events takes it, or a list of them. Without an event_id, each time you send it is a new event."}</p>
      ${problem && html`<${Notice} problem=${problem} />`}
      ${sent && html`<${Message} kind="success"><p>${sent.status}</p>${sent.id && may("read") && html`<p><a href=${href("event", { event_id: sent.id })}>Show the event</a></p>`}<//>`}
      <div class="form-actions"><button type="submit" class="primary" disabled=${isRunning || wrong !== "" || !may("ingest")}>Send</button>
        ${!may("ingest") && html`<span class="note">Sending needs a key with the scope <code>ingest</code>.</span>`}</div>
    </form>
  <//>`;
  const terminal = html`<${Card} title="From a terminal" note="Put your key into the variable API_KEY first." actions=${html`<${Copy} text=${command} label="Copy curl" />`}><pre><code>${command}</code></pre><//>`;
  return html`<div class="grid">${isCurlFirst ? [terminal, form] : [form, terminal]}</div>`;
}

/** @param {{ status: string, inserted?: number, duplicates?: number, dead_lettered?: number, events_count?: number }} answer */
function describe(answer) {
  if (answer.status !== "stored") return "Accepted. It is stored in a moment.";
  if (answer.dead_lettered) return "Accepted, but it could not be stored: it is a dead letter.";
  return answer.duplicates && !answer.inserted ? "This event was there before, so nothing changed." : "Stored.";
}
