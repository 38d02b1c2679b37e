// What the figures of the pipeline mean, in words, the worst first. It knows nothing of the screen.

import { ago, count, duration, full, percent } from "../format.js";

/** @typedef {import("../types.js").Pipeline} Pipeline */
/**
 * `problem`: somebody must act, or clients are refused. `warning`: somebody should look. `note`: good to know.
 * @typedef {{ level: "problem" | "warning" | "note", title: string, text: string, page?: string }} Finding
 */

/** An event that waits longer than this is late. Workers look for messages all the time. */
const LATE_SECONDS = 30;
/** Share of the queue's limit from which it is nearly full, and the share that bulk may fill. */
const NEARLY_FULL = 0.75;
const FULL_FOR_BULK = 7 / 8;
/** How long the last error of a worker is news. */
const NEWS_MS = 10 * 60_000;
const LEVELS = ["problem", "warning", "note"];

/** What the states of the queue mean. `up` is not among them. */
const QUEUE_STATES = /** @type {Record<string, [title: string, text: string]>} */ ({
  down: ["The queue is away", "NATS cannot be reached, so new events are refused with 503. Clients must send them again, and nothing that was accepted is lost. Look whether nats-server runs."],
  silent: ["The queue does not answer", "NATS is connected, but its stream does not answer, so new events are refused with 503. Look at the log of nats-server."],
  refusing: ["The queue takes no events", "NATS does not confirm events, so they are refused with 503. Look at the log and the disk of nats-server."],
  full: ["The queue is full", "New events are refused with 503 until workers have stored some. Look whether workers run and PostgreSQL keeps up, or raise EVENTS_MAX_BYTES."],
});

/**
 * What there is to say, the worst first. Nothing means that all is well.
 * @param {Pipeline} pipeline
 * @param {number} nowMs by the clock of the service
 * @param {boolean} isWhole whether the figures are of the whole installation, and not the share of one project
 * @returns {Finding[]}
 */
export function findings(pipeline, nowMs, isWhole) {
  const found = [...ofServers(pipeline), ...ofQueue(pipeline), ...(isWhole ? ofWorkers(pipeline, nowMs) : []), ...ofDeadLetters(pipeline)];
  return found.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

/**
 * @param {Pipeline} pipeline
 * @returns {Finding[]}
 */
function ofServers({ dependencies }) {
  /** @type {Finding[]} */
  const found = [];
  if (dependencies.postgres !== "up") {
    found.push({ level: "problem", title: "PostgreSQL is away", text: "Events are accepted and wait in the queue until it is back; nothing is lost. Meanwhile no question can be answered." });
  }
  const [title, text] = QUEUE_STATES[dependencies.nats ?? ""] ?? [`The queue is in the state ${dependencies.nats}`, "New events may be refused."];
  if (dependencies.nats !== "up") found.push({ level: "problem", title, text });
  return found;
}

/**
 * @param {Pipeline} pipeline
 * @returns {Finding[]}
 */
function ofQueue({ stream, consumers, dependencies }) {
  /** @type {Finding[]} */
  const found = [];
  if (!stream) return found;
  const { bytes, max_bytes: maxBytes, oldest_unstored_age_seconds: age } = stream;
  const share = bytes !== null && maxBytes !== null && maxBytes > 0 ? bytes / maxBytes : 0;
  if (share >= FULL_FOR_BULK && dependencies.nats !== "full") {
    found.push({ level: "problem", title: `The queue is ${percent(share * 100)} full`, text: "Large requests are refused with 503 already, and all others will be when it is full. Start more workers, or look for what slows PostgreSQL down." });
  } else if (share >= NEARLY_FULL && share < FULL_FOR_BULK) {
    found.push({ level: "warning", title: `The queue is ${percent(share * 100)} full`, text: "Large requests of a project that fills it alone are refused from about here on, and all large ones from seven eighths on." });
  }
  if (!consumers) return found;
  const [normal, ...bulk] = consumers;
  const bulkWaits = bulk.reduce((sum, one) => sum + one.pending + one.in_flight, 0);
  const normalWaits = (normal?.pending ?? 0) + (normal?.in_flight ?? 0);
  if (age !== null && age > LATE_SECONDS && normalWaits > 0) {
    found.push({ level: "warning", title: `Events are stored late: the oldest has waited for ${duration(age)}`, text: `${count(normalWaits, "message")} of normal priority ${normalWaits === 1 ? "waits" : "wait"}. Start more workers, or look for what slows PostgreSQL down.` });
  } else if (bulkWaits > 0 && normalWaits === 0) {
    found.push({ level: "note", title: "An import is being stored", text: `${count(bulkWaits, "message")} of bulk ${bulkWaits === 1 ? "waits" : "wait"}. Other events are not delayed by it.` });
  }
  const again = consumers.reduce((sum, one) => sum + one.redelivered, 0);
  if (again > 0) found.push({ level: "warning", title: `${count(again, "message")} ${again === 1 ? "is" : "are"} being tried again`, text: "Storing failed at least once. After five retries, what still fails becomes a dead letter." });
  return found;
}

/**
 * @param {Pipeline} pipeline
 * @param {number} nowMs
 * @returns {Finding[]}
 */
function ofWorkers({ workers, stream, last_error: lastError, dependencies }, nowMs) {
  /** @type {Finding[]} */
  const found = [];
  if (workers?.length === 0) {
    const waits = stream && stream.messages > 0 ? `${count(stream.messages, "message")} ${stream.messages === 1 ? "waits" : "wait"} for one.` : "New events will wait for one.";
    found.push({ level: "problem", title: "No worker runs", text: `Events are accepted and not stored: no worker has reported within 10 seconds. ${waits}` });
  } else if (workers === null && dependencies.postgres === "up") {
    found.push({ level: "warning", title: "The reports of the workers cannot be read", text: "PostgreSQL is too busy to answer in time." });
  }
  if (lastError?.at && nowMs - Date.parse(lastError.at) < NEWS_MS) {
    found.push({ level: "warning", title: `A worker had an error ${ago(lastError.at, nowMs)}`, text: lastError.message ?? "It did not say which." });
  }
  return found;
}

/**
 * @param {Pipeline} pipeline
 * @returns {Finding[]}
 */
function ofDeadLetters({ dead_letters: letters }) {
  if (!letters?.count) return [];
  return [{ level: "warning", title: `${full(letters.count)} dead ${letters.count === 1 ? "letter" : "letters"}`, text: "These events were accepted and could not be stored. They are kept until somebody sends them again or purges them.", page: "dead-letters" }];
}
