// Server-sent events, read with fetch. EventSource hides what people must know here: why the service refused (signed
// out, too many readers, away), and its comments, whose absence shows that a connection is dead. It also forgets the
// last id when it gives up, and with it the events in between.

import { open, Problem } from "./api.js";
import { asProblem } from "./answer.js";

/** @typedef {{ id: string, event: string, data: string }} Frame */

/**
 * `connecting`: no answer yet. `live`: the stream is open. `waiting`: it is lost, and is opened again at `at`
 * (milliseconds since 1970). `refused`: it will not be opened again.
 * @typedef {{ kind: "connecting" | "live" } | { kind: "waiting", problem: Problem, at: number } | { kind: "refused", problem: Problem }} StreamState
 */

/** The first wait before the stream is opened again. It is doubled with every failure. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;
/** How many of the service's comments may be absent before the connection counts as dead, and the shortest such time. */
const COMMENTS_ABSENT = 3;
const MIN_SILENCE_MS = 45_000;
/** Problems that another try does not change. */
const FINAL = new Set(["signed_out", "forbidden", "invalid", "missing", "failed"]);

/**
 * Follows a stream, across lost connections, until the returned function is called.
 * @param {string} path
 * @param {import("./api.js").Params} params
 * @param {{ onFrame: (frame: Frame) => void, onState: (state: StreamState) => void }} reader
 * @returns {() => void}
 */
export function follow(path, params, { onFrame, onState }) {
  const abort = new AbortController();
  const { signal } = abort;
  let lastId = "";
  let failures = 0;
  const run = async () => {
    while (!signal.aborted) {
      onState({ kind: "connecting" });
      const problem = await readOnce(path, params, lastId, signal, {
        onOpen: () => onState({ kind: "live" }),
        onFrame: (frame) => {
          failures = 0;
          if (frame.id !== "") lastId = frame.id;
          onFrame(frame);
        },
      });
      if (signal.aborted) return;
      if (FINAL.has(problem.kind)) {
        onState({ kind: "refused", problem });
        return;
      }
      // Spread over some time, so that many readers do not come back at the same moment.
      const wait = Math.min(RETRY_MS * 2 ** failures, MAX_RETRY_MS) * (0.75 + Math.random() / 2);
      const at = Math.max(problem.retryAt ?? 0, Date.now() + wait);
      failures += 1;
      onState({ kind: "waiting", problem, at });
      await pause(at - Date.now(), signal);
    }
  };
  run();
  return () => abort.abort();
}

/**
 * Reads until the stream ends, and says why it did.
 * @param {string} path
 * @param {import("./api.js").Params} params
 * @param {string} lastId
 * @param {AbortSignal} outer
 * @param {{ onOpen: () => void, onFrame: (frame: Frame) => void }} reader
 */
async function readOnce(path, params, lastId, outer, { onOpen, onFrame }) {
  const inner = new AbortController();
  const stop = () => inner.abort();
  outer.addEventListener("abort", stop);
  const silence = watchSilence(stop);
  try {
    const response = await open(path, params, { signal: inner.signal, headers: lastId === "" ? {} : { "Last-Event-ID": lastId } });
    if (!response.body) return lost();
    onOpen();
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return lost();
      const frames = (unread + value).split("\n\n");
      unread = frames.pop() ?? "";
      for (const text of frames) {
        const frame = frameOf(text);
        if (frame) onFrame(frame);
        else silence.comment();
      }
      silence.bytes();
    }
  } catch (error) {
    return error instanceof Problem ? error : inner.signal.aborted || error instanceof TypeError ? lost() : asProblem(error);
  } finally {
    silence.end();
    outer.removeEventListener("abort", stop);
  }
}

function lost() {
  return new Problem("offline", "The connection was lost.");
}

/**
 * A frame; null for a comment.
 * @param {string} text
 * @returns {Frame | null}
 */
function frameOf(text) {
  const fields = new Map(text.split("\n").map((line) => {
    const at = line.indexOf(": ");
    return at <= 0 ? ["", ""] : [line.slice(0, at), line.slice(at + 2)];
  }));
  const [event, data] = [fields.get("event"), fields.get("data")];
  return event === undefined || data === undefined ? null : { id: fields.get("id") ?? "", event, data };
}

/**
 * Calls `onSilence` when the comments stay away. How often they come is a setting of the service, so the first
 * interval between two of them is the measure.
 * @param {() => void} onSilence
 */
function watchSilence(onSilence) {
  let lastComment = 0;
  let limit = 0;
  let timer = 0;
  const restart = () => {
    clearTimeout(timer);
    if (limit > 0) timer = window.setTimeout(onSilence, limit);
  };
  return {
    comment: () => {
      const now = performance.now();
      if (lastComment > 0) limit = Math.max(MIN_SILENCE_MS, COMMENTS_ABSENT * (now - lastComment));
      lastComment = now;
    },
    bytes: restart,
    end: () => clearTimeout(timer),
  };
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
