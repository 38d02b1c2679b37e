// A question whose answer a component shows. While a new answer is on its way, the old one stays, so nothing jumps.

import { get, Problem } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/**
 * @template T
 * @typedef {object} Answer
 * @property {T | null} data the latest answer; null until there is one. While `isLoading`, it is that of the question before
 * @property {Problem | null} problem why the latest request failed; `data` may still hold the answer before
 * @property {boolean} isLoading whether the question has changed, or was asked again, and has no answer yet
 * @property {() => void} reload asks again
 */

/**
 * Asks whenever the question changes, and drops the request before. A null path asks nothing.
 * @template [T=any]
 * @param {string | null} path
 * @param {import("./api.js").Params} [params]
 * @param {{ everyMs?: number, parse?: (text: string) => any }} [options] `everyMs` asks again after each interval while the page is visible; `parse` as of `get`
 * @returns {Answer<T>}
 */
export function useAnswer(path, params = {}, options = {}) {
  return useAsk(path === null ? null : (signal) => get(path, params, { signal, parse: options.parse }), [path, JSON.stringify(params)], options);
}

/**
 * The same for anything that takes several requests. What belongs to the question and is needed to show its answer
 * should be part of what it returns: the question may have changed when the answer is shown.
 * @template T
 * @param {((signal: AbortSignal) => Promise<T>) | null} ask null asks nothing
 * @param {unknown[]} on asks again when one of these changes
 * @param {{ everyMs?: number }} [options]
 * @returns {Answer<T>}
 */
export function useAsk(ask, on, options = {}) {
  const [answer, setAnswer] = useState(/** @type {{ data: T | null, problem: Problem | null, key: string | null }} */ ({ data: null, problem: null, key: null }));
  // What is asked again by itself is not shown as loading.
  const [turn, setTurn] = useState({ asked: 0, repeated: 0 });
  const reload = useCallback(() => setTurn((now) => ({ ...now, asked: now.asked + 1 })), []);
  const key = JSON.stringify([...on, turn.asked]);
  const latest = useRef(ask);
  /** The request that is under way. */
  const pending = useRef(/** @type {AbortController | null} */ (null));
  latest.current = ask;
  const asks = ask !== null;
  useEffect(() => {
    if (latest.current === null) {
      setAnswer({ data: null, problem: null, key: null });
      return undefined;
    }
    const abort = new AbortController();
    pending.current = abort;
    latest.current(abort.signal).finally(() => {
      if (pending.current === abort) pending.current = null;
    }).then(
      (data) => abort.signal.aborted || setAnswer({ data, problem: null, key }),
      (error) => abort.signal.aborted || setAnswer((before) => ({ data: before.data, problem: asProblem(error), key })),
    );
    return () => abort.abort();
  }, [key, turn.repeated, asks]);
  useEffect(() => {
    const { everyMs } = options;
    if (!everyMs) return undefined;
    // An answer that takes longer than the interval is awaited: otherwise it would never come.
    const timer = setInterval(() => document.hidden || pending.current || setTurn((now) => ({ ...now, repeated: now.repeated + 1 })), everyMs);
    return () => clearInterval(timer);
  }, [options.everyMs]);
  return { data: answer.data, problem: answer.problem, isLoading: asks && answer.key !== key, reload };
}

/** @param {unknown} error */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem("failed", "Something went wrong on this page.");
}
