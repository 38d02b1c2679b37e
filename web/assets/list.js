// A list that is read page by page with the API's cursors. What has been read stays; the next page is added to it.

import { get } from "./api.js";
import { asProblem, useAsk } from "./answer.js";
import { useEffect, useMemo, useRef, useState } from "./view.js";

/** Rows of the first page, which should be there at once, and of each further one. */
const FIRST_ROWS = 100;
const FURTHER_ROWS = 1000;
/**
 * A page may be empty and still have a next one, because a search ends after two seconds. So many of them are asked
 * for in one go; then the person decides whether to search further.
 */
const MAX_EMPTY_PAGES = 5;

/**
 * A list, which `Answered` shows like any other answer.
 * @typedef {object} List
 * @property {any[] | null} data all rows read so far; null until there is an answer
 * @property {import("./api.js").Problem | null} problem
 * @property {boolean} isLoading whether the first page is under way
 * @property {() => void} reload reads the list again, from its beginning
 * @property {boolean} hasMore whether there may be further rows
 * @property {boolean} isLoadingMore
 * @property {import("./api.js").Problem | null} moreProblem why the latest further page failed
 * @property {() => void} more reads the next page
 */

/**
 * @typedef {{ rows: any[], cursor: string | null, path: string, params: import("./api.js").Params }} FirstPage
 * @typedef {{ of: FirstPage | null, rows: any[], cursor: string | null, isLoading: boolean, problem: import("./api.js").Problem | null }} Rest
 */

/** @type {Rest} */
const NOTHING_MORE = { of: null, rows: [], cursor: null, isLoading: false, problem: null };

/**
 * Reads a list. It begins again whenever the question changes. A null path asks nothing.
 * @param {string | null} path
 * @param {import("./api.js").Params} [params]
 * @param {{ firstRows?: number, parse?: (text: string) => any, on?: unknown }} [options] the list is read again when `on` changes
 * @returns {List}
 */
export function useList(path, params = {}, options = {}) {
  const { firstRows = FIRST_ROWS, parse } = options;
  /** @param {string} from @param {import("./api.js").Params} question @param {string | null} cursor @param {number} limit @param {AbortSignal} signal */
  const read = async (from, question, cursor, limit, signal) => {
    for (let empty = 1; ; empty += 1) {
      const page = await get(from, { ...question, limit, cursor }, { signal, parse });
      if (page.data.length > 0 || page.next_cursor === null || empty === MAX_EMPTY_PAGES) return page;
      cursor = page.next_cursor;
    }
  };
  const first = useAsk(path === null ? null : async (signal) => {
    const page = await read(path, params, null, firstRows, signal);
    return /** @type {FirstPage} */ ({ rows: page.data, cursor: page.next_cursor, path, params });
  }, [path, JSON.stringify(params), options.on]);
  const [kept, setRest] = useState(NOTHING_MORE);
  const abort = useRef(/** @type {AbortController | null} */ (null));
  // Further pages belong to the first page that they continue. A new one drops them, and what is still under way.
  useEffect(() => () => abort.current?.abort(), [first.data]);
  const rest = kept.of === first.data ? kept : NOTHING_MORE;
  const cursor = rest.of ? rest.cursor : (first.data?.cursor ?? null);
  const more = async () => {
    const of = first.data;
    if (!of || cursor === null || rest.isLoading || first.isLoading) return;
    const controller = new AbortController();
    abort.current = controller;
    setRest({ ...rest, of, cursor, isLoading: true, problem: null });
    try {
      const page = await read(of.path, of.params, cursor, FURTHER_ROWS, controller.signal);
      setRest({ of, rows: [...rest.rows, ...page.data], cursor: page.next_cursor, isLoading: false, problem: null });
    } catch (error) {
      if (!controller.signal.aborted) setRest({ ...rest, of, cursor, isLoading: false, problem: asProblem(error) });
    }
  };
  const data = useMemo(() => first.data && [...first.data.rows, ...rest.rows], [first.data, rest.rows]);
  return {
    data, problem: first.problem, isLoading: first.isLoading, reload: first.reload,
    hasMore: cursor !== null, isLoadingMore: rest.isLoading, moreProblem: rest.problem, more,
  };
}
