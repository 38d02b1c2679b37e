// The address of the view. Every parameter of a view is in its address, so that a link shows what its sender saw.
// Parameters that have their default are left out. The key never is in an address.
//
// A page is one segment below the dashboard: ui/retention?window_type=month. Ids are parameters and not segments,
// because an id may be ".." or contain a slash.

import { DASHBOARD } from "./place.js";
import { signal, useMemo } from "./view.js";

/** @typedef {{ page: string, params: URLSearchParams }} Route */
/** @typedef {string | readonly string[]} Value a parameter; a list if it may be there several times */

/** The view that is shown. */
export const route = signal(read());

/** @returns {Route} */
function read() {
  const { pathname, search } = location;
  const page = pathname.startsWith(DASHBOARD.pathname) ? pathname.slice(DASHBOARD.pathname.length) : "";
  return { page: page.replace(/\/$/, "") || "overview", params: new URLSearchParams(search) };
}

/**
 * The address of a page.
 * @param {string} page
 * @param {Record<string, Value | number | null | undefined>} [params] empty ones are left out
 */
export function href(page, params = {}) {
  const url = new URL(page === "overview" ? "" : page, DASHBOARD);
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url.pathname + url.search;
}

/**
 * Shows another view.
 * @param {string} address of `href`
 * @param {"push" | "replace"} [how]
 */
export function go(address, how = "push") {
  if (address === location.pathname + location.search) return;
  history[how === "push" ? "pushState" : "replaceState"](null, "", address);
  const before = route.peek().page;
  route.value = read();
  if (how === "push" && before !== route.peek().page) scrollTo(0, 0);
}

/**
 * The parameters of the page, and a function that changes some of them. Changes go to the history (`push`), except
 * while somebody types (`replace`). Setting a parameter to its default removes it from the address.
 *
 *     const [view, change] = useParams({ period: "30d", event_type: [] });
 *     change({ period: "7d" });
 *
 * @template {Record<string, Value>} Defaults
 * @param {Defaults} defaults the same on every call; a parameter whose default is a list is a list
 * @returns {[{ [Name in keyof Defaults]: Defaults[Name] extends readonly any[] ? string[] : string }, (changes: Partial<{ [Name in keyof Defaults]: Defaults[Name] extends readonly any[] ? readonly string[] : string }>, how?: "push" | "replace") => void]}
 */
export function useParams(defaults) {
  const { page, params } = route.value;
  const view = useMemo(() => valuesOf(defaults, params), [params]);
  /** @param {Record<string, Value>} changes */
  const change = (changes, how = /** @type {"push" | "replace"} */ ("push")) => {
    const all = { ...valuesOf(defaults, route.peek().params), ...changes };
    const kept = Object.entries(all).filter(([name, value]) => String(value) !== String(defaults[name]));
    go(href(page, Object.fromEntries(kept)), how);
  };
  return /** @type {any} */ ([view, change]);
}

/**
 * @param {Record<string, Value>} defaults
 * @param {URLSearchParams} params
 */
function valuesOf(defaults, params) {
  /** @type {Record<string, Value>} */
  const values = {};
  for (const [name, value] of Object.entries(defaults)) {
    if (Array.isArray(value)) values[name] = params.has(name) ? params.getAll(name) : value;
    else values[name] = params.get(name) ?? value;
  }
  return values;
}

/** Makes links within the dashboard change the view without loading it again. */
export function followLinks() {
  addEventListener("popstate", () => {
    route.value = read();
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented) return;
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const isOurs = link.origin === location.origin && link.pathname.startsWith(DASHBOARD.pathname);
    if (!isPlain || !isOurs || link.target || link.hasAttribute("download") || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
