// A question whose answer a component shows. While a new answer is on its way, the old one stays, so nothing jumps.

import { get, Problem } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/**
 * @template T
 * @typedef {object} Answer
 * @property {T | null} data the latest answer; null until there is one
 * @property {Problem | null} problem why the latest request failed; `data` may still hold the answer before
 * @property {boolean} isLoading whether a request is under way
 * @property {() => void} reload asks again
 */

/**
 * Asks whenever the question changes, and drops the request before. A null path asks nothing.
 * @template [T=any]
 * @param {string | null} path
 * @param {import("./api").Params} [params]
 * @param {{ everyMs?: number }} [options] `everyMs` asks again after each interval while the page is visible
 * @returns {Answer<T>}
 */
export function useAnswer(path, params = {}, options = {}) {
  return useAsk(path === null ? null : (signal) => get(path, params, { signal }), [path, JSON.stringify(params)], options);
}

/**
 * The same for anything that takes several requests.
 * @template T
 * @param {((signal: AbortSignal) => Promise<T>) | null} ask null asks nothing
 * @param {unknown[]} on asks again when one of these changes
 * @param {{ everyMs?: number }} [options]
 * @returns {Answer<T>}
 */
export function useAsk(ask, on, options = {}) {
  const [answer, setAnswer] = useState(/** @type {{ data: T | null, problem: Problem | null, isLoading: boolean }} */ ({ data: null, problem: null, isLoading: ask !== null }));
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((number) => number + 1), []);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (latest.current === null) {
      setAnswer({ data: null, problem: null, isLoading: false });
      return undefined;
    }
    const abort = new AbortController();
    setAnswer((before) => ({ ...before, isLoading: true }));
    latest.current(abort.signal).then(
      (data) => abort.signal.aborted || setAnswer({ data, problem: null, isLoading: false }),
      (error) => abort.signal.aborted || setAnswer((before) => ({ data: before.data, problem: asProblem(error), isLoading: false })),
    );
    return () => abort.abort();
  }, [...on, turn]);
  useEffect(() => {
    const { everyMs } = options;
    if (!everyMs) return undefined;
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => clearInterval(timer);
  }, [options.everyMs]);
  return { ...answer, reload };
}

/** @param {unknown} error */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem("failed", "Something went wrong on this page.");
}
