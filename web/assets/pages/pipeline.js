// The pipeline, for an operator at night: what is wrong comes first and in words, the figures after it.

import { now } from "../api.js";
import { useAnswer } from "../answer.js";
import { ago, duration, Num, percent, Time } from "../format.js";
import { Id, Switch } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { Message } from "../parts/notice.js";
import { Card, Export, Page, Stat } from "../parts/page.js";
import { Sparkline } from "../parts/sparkline.js";
import { Answered, Empty } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { may, session, zone } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { findings } from "./pipeline_findings.js";

/** @typedef {import("../types.js").Pipeline} Pipeline */
/** @typedef {NonNullable<Pipeline["workers"]>[number]} Worker */
/** @typedef {NonNullable<Pipeline["consumers"]>[number]} Consumer */
/** @typedef {{ messages: number | null, rate: number | null, lag: number | null }} Sample */

const DEFAULTS = { refresh: "yes" };
const REFRESH_MS = 5000;
/** Samples of the curves: ten minutes. */
const MAX_SAMPLES = 120;

export default function PipelinePage() {
  const [view, change] = useParams(DEFAULTS);
  const isRefreshing = view.refresh === "yes";
  const answer = useAnswer("/pipeline", {}, isRefreshing ? { everyMs: REFRESH_MS } : {});
  const { samples, at } = useSamples(/** @type {Pipeline | null} */ (answer.data));
  const isWhole = session.value?.installation ?? false;
  return html`<${Page} title="Pipeline" about="What becomes of events after they were accepted." controls=${html`
      <${Switch} label="Refresh every 5 s" value=${isRefreshing} onChange=${(/** @type {boolean} */ on) => change({ refresh: on ? "yes" : "no" })} />
      ${!isRefreshing && html`<button type="button" class="small" onClick=${answer.reload}>Refresh</button>`}
      ${at && html`<span class="note">As of <${Time} at=${at} zone=${zone()} /> <span class="zone">${zone()}</span></span>`}
      <span class="push"></span><${FindEvent} />`}>
    <${Answered} answer=${answer} height=${520}>${(/** @type {Pipeline} */ pipeline) => html`
      <${Findings} pipeline=${pipeline} isWhole=${isWhole} />
      <${Figures} pipeline=${pipeline} samples=${samples} isWhole=${isWhole} />
      ${pipeline.consumers && html`<${Consumers} rows=${pipeline.consumers} />`}
      ${pipeline.workers && html`<${Workers} rows=${pipeline.workers} />`}
      ${!isWhole && html`<p class="note space-above">These are the figures of your project. The queue as a whole, its consumers and the workers are shown to the key of the installation.</p>`}`}
    <//>
  <//>`;
}

/**
 * The answers since the page was opened, for the curves, and when the latest came.
 * @param {Pipeline | null} pipeline
 */
function useSamples(pipeline) {
  const [kept, setKept] = useState(/** @type {{ samples: readonly Sample[], at: string | null }} */ ({ samples: [], at: null }));
  useEffect(() => {
    if (!pipeline) return;
    const sample = { messages: pipeline.stream?.messages ?? null, rate: pipeline.events_stored_per_second, lag: pipeline.stream?.oldest_unstored_age_seconds ?? null };
    setKept(({ samples }) => ({ samples: [...samples, sample].slice(-MAX_SAMPLES), at: new Date(now()).toISOString() }));
  }, [pipeline]);
  return kept;
}

/** @param {{ pipeline: Pipeline, isWhole: boolean }} props */
function Findings({ pipeline, isWhole }) {
  const found = findings(pipeline, now(), isWhole);
  if (found.length === 0) return html`<${Message} kind="success"><p><strong>All is well.</strong> ${isWhole ? "Every server answers, workers run, and nothing waits for long." : "Every server answers, and your project has no dead letters."}</p><//>`;
  return html`<ul class="findings" aria-label="What there is to know">${found.map((one) => html`<li key=${one.title} class=${`notice ${{ problem: "problem", warning: "warning", note: "info" }[one.level]}`}>
    <p><strong>${{ problem: "Problem: ", warning: "Look at this: ", note: "" }[one.level]}${one.title}.</strong> <bdi>${one.text}</bdi></p>
    ${one.page && may("admin") && html`<p><a href=${href(one.page)}>Show them</a></p>`}
  </li>`)}</ul>`;
}

/** @param {{ pipeline: Pipeline, samples: readonly Sample[], isWhole: boolean }} props */
function Figures({ pipeline, samples, isWhole }) {
  const { stream, dead_letters: letters, events_stored_per_second: rate } = pipeline;
  /** @param {keyof Sample} name */
  const curve = (name) => html`<${Sparkline} values=${samples.map((sample) => sample[name]).filter((value) => value !== null)} />`;
  const share = stream?.bytes != null && stream.max_bytes ? percent((stream.bytes / stream.max_bytes) * 100) : null;
  return html`<div class="stats">
    <${Stat} label="Messages that wait" title="A message has one event or many" value=${html`<${Num} value=${stream?.messages} unit="messages" />`}
      note=${share !== null && stream ? html`<${Bytes} value=${stream.bytes} /> of <${Bytes} value=${stream.max_bytes} />, ${share} full` : ""}>${curve("messages")}<//>
    ${isWhole && html`
      <${Stat} label="Lag" title="How long the oldest event that is not stored has waited" value=${duration(stream?.oldest_unstored_age_seconds)} note="the oldest that is not stored">${curve("lag")}<//>
      <${Stat} label="Stored a second" value=${html`<${Num} value=${rate} unit="events a second" />`} note="events, by all workers together">${curve("rate")}<//>
      <${Stat} label="Workers" value=${html`<${Num} value=${pipeline.workers?.length} unit="workers" />`} note="reported within 10 seconds" />`}
    <${Stat} label="Dead letters" value=${html`<${Num} value=${letters?.count} unit="dead letters" />`} note=${html`${letters?.bytes != null && html`<${Bytes} value=${letters.bytes} /> `}${may("admin") && html`<a href=${href("dead-letters")}>Show</a>`}`} />
    ${Object.entries(pipeline.dependencies).map(([name, state]) => html`<${Stat} key=${name} label=${{ postgres: "PostgreSQL", nats: "Queue (NATS)" }[name] ?? name}
      value=${html`<span class=${state === "up" ? "" : "wrong"}>${state}</span>`} />`)}
  </div>`;
}

/** @param {{ value: number | null }} props */
function Bytes({ value }) {
  if (value === null) return html`<span class="none">–</span>`;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const shown = value / 1024 ** power;
  return html`<data value=${value} title=${`${value.toLocaleString("en")} bytes`}>${shown < 10 && power > 0 ? shown.toFixed(1) : Math.round(shown)} ${units[power]}</data>`;
}

/** @param {{ rows: readonly Consumer[] }} props */
function Consumers({ rows }) {
  /** @type {import("../parts/data_table.js").Column<Consumer>[]} */
  const columns = [
    { key: "name", label: "Consumer", show: (row) => html`<${Id} text=${row.name} />`, value: (row) => row.name, isWide: true },
    ...(/** @type {const} */ ([["pending", "Waiting"], ["in_flight", "In work"], ["redelivered", "Tried again"]])).map(([key, label]) => ({
      key, label, isNumber: true, isSortable: true, show: (/** @type {Consumer} */ row) => html`<${Num} value=${row[key]} unit="messages" />`, value: (/** @type {Consumer} */ row) => row[key],
    })),
  ];
  return html`<${Card} title="Consumers of the queue" note="Messages. The first consumer has the events of normal priority, the others have bulk: large requests and imports."
      actions=${html`<${Export} name="consumers" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/pipeline" }} />`}>
    <${DataTable} caption="Consumers" columns=${columns} rows=${rows} rowKey=${(/** @type {Consumer} */ row) => row.name} />
  <//>`;
}

/** @param {{ rows: readonly Worker[] }} props */
function Workers({ rows }) {
  /** @type {import("../parts/data_table.js").Column<Worker>[]} */
  const columns = [
    { key: "worker_id", label: "Worker", show: (row) => html`<${Id} text=${row.worker_id} />`, value: (row) => row.worker_id },
    { key: "started_at", label: "Running since", isSortable: true, show: (row) => html`<${Time} at=${row.started_at} zone=${zone()} />`, value: (row) => row.started_at },
    { key: "reported_at", label: "Last report", show: (row) => html`<span title=${row.reported_at}>${ago(row.reported_at, now())}</span>`, value: (row) => row.reported_at },
    { key: "events_stored", label: "Stored", isNumber: true, isSortable: true, show: (row) => html`<${Num} value=${row.events_stored} unit="events" />`, value: (row) => row.events_stored },
    { key: "events_per_second", label: "A second", isNumber: true, isSortable: true, show: (row) => html`<${Num} value=${row.events_per_second} unit="events a second" />`, value: (row) => row.events_per_second },
    { key: "last_error", label: "Last error", isWide: true, show: ({ last_error: error }) => error && html`<bdi title=${error.message}>${error.at && `${ago(error.at, now())}: `}${error.message}</bdi>`, value: (row) => row.last_error?.message },
  ];
  return html`<${Card} title="Running workers" actions=${html`<${Export} name="workers" columns=${asCsv(columns)} rows=${rows} question=${{ path: "/pipeline" }} />`}>
    ${rows.length === 0 ? html`<${Empty} title="No worker has reported within 10 seconds" />`
      : html`<${DataTable} caption="Workers" columns=${columns} rows=${rows} rowKey=${(/** @type {Worker} */ row) => row.worker_id} />`}
  <//>`;
}

/** Leads to the page that says where an event is. */
function FindEvent() {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    const id = field.current?.value.trim() ?? "";
    if (id !== "") go(href("event", { event_id: id }));
  };
  return html`<form class="chips" role="search" onSubmit=${submit}>
    <input ref=${field} aria-label="Id of an event" placeholder="Id of an event" dir="auto" spellcheck=${false} autocomplete="off" />
    <button type="submit" class="small">Find</button>
  </form>`;
}
