// Requests to the service. Every error becomes a Problem, which says what the person can do about it.

import { SERVICE } from "./place.js";

/**
 * What went wrong, by what helps:
 * `signed_out`: sign in again. `forbidden`: another key is needed. `invalid`: change what was asked; `errors` says
 * where. `missing`: it does not exist. `limited`: wait until `retryAt`. `slow`: ask for less. `away`: a server that
 * the service needs is away; wait. `offline`: the service cannot be reached. `failed`: a defect; `requestId` finds it
 * in the log.
 * @typedef {"signed_out" | "forbidden" | "invalid" | "missing" | "limited" | "slow" | "away" | "offline" | "failed"} ProblemKind
 */

/** A value of a parameter. Lists are sent once for each entry; null, undefined and "" are left out. */
/** @typedef {string | number | boolean | null | undefined | readonly (string | number)[]} Param */
/** @typedef {Record<string, Param>} Params */

export class Problem extends Error {
  /**
   * @param {ProblemKind} kind
   * @param {string} message
   * @param {{ status?: number, code?: string, errors?: import("./types.js").FieldError[], retryAt?: number | null, requestId?: string | null }} [more]
   */
  constructor(kind, message, more = {}) {
    super(message);
    this.kind = kind;
    this.status = more.status ?? 0;
    this.code = more.code ?? "";
    /** What is wrong with single fields or parameters. */
    this.errors = more.errors ?? [];
    /** When trying again makes sense, in milliseconds since 1970; null if that is not known. */
    this.retryAt = more.retryAt ?? null;
    this.requestId = more.requestId ?? null;
  }
}

/** What to do when a request finds that nobody is signed in. session.js sets it. */
let onSignedOut = () => {};
/** @param {() => void} action */
export function whenSignedOut(action) {
  onSignedOut = action;
}

/** The difference between the clock of the service and that of the browser, in milliseconds. */
let clockDifference = 0;

/** The time by the clock of the service, in milliseconds since 1970. */
export function now() {
  return Date.now() + clockDifference;
}

/**
 * The address of a question.
 * @param {string} path as in the documentation of the API, "/stats/dau"; ids in it encoded by `segment`
 * @param {Params} [params]
 */
export function address(path, params = {}) {
  const url = new URL(path.replace(/^\//, ""), SERVICE);
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, String(one));
    }
  }
  return url;
}

/**
 * An id as a part of a path. Ids that consist of dots would lead up, so they cannot be in a path: then it is null.
 * @param {string} id
 */
export function segment(id) {
  return id === "." || id === ".." ? null : encodeURIComponent(id);
}

/**
 * Asks a question.
 * @template [T=any]
 * @param {string} path
 * @param {Params} [params]
 * @param {{ signal?: AbortSignal | undefined, parse?: ((text: string) => any) | undefined }} [options] `parse` reads the answer instead of `JSON.parse`
 * @returns {Promise<T>}
 */
export function get(path, params, options = {}) {
  return request("GET", address(path, params), undefined, options.signal, options.parse);
}

/**
 * Changes something.
 * @template [T=any]
 * @param {"POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body] sent as JSON
 * @param {Params} [params]
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<T>}
 */
export function send(method, path, body, params, options = {}) {
  return request(method, address(path, params), body, options.signal);
}

/**
 * Opens a stream. The caller reads its body, and stops it by the signal.
 * @param {string} path
 * @param {Params} params
 * @param {{ signal: AbortSignal, headers?: Record<string, string> }} options
 * @returns {Promise<Response>}
 */
export function open(path, params, { signal, headers }) {
  return answerTo(address(path, params), { method: "GET", credentials: "same-origin", cache: "no-store", signal, headers: { Accept: "text/event-stream", ...headers } });
}

/**
 * The same request for a terminal. It never contains the key.
 * @param {string} path
 * @param {Params} [params]
 * @param {{ method?: string, body?: unknown }} [options]
 */
export function curl(path, params, options = {}) {
  const parts = ["curl"];
  if (options.method && options.method !== "POST") parts.push(`-X ${options.method}`);
  else if (options.method && options.body === undefined) parts.push("-X POST");
  parts.push('-H "X-API-Key: $API_KEY"');
  if (options.body !== undefined) {
    const text = typeof options.body === "string" ? options.body : JSON.stringify(options.body);
    parts.push("-H 'Content-Type: application/json'", `-d ${shellQuoted(text)}`);
  }
  parts.push(shellQuoted(address(path, params).href));
  return parts.join(" ");
}

/** @param {string} text */
function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * @param {string} method
 * @param {URL} url
 * @param {unknown} body
 * @param {AbortSignal | undefined} signal
 * @param {(text: string) => any} [parse]
 */
async function request(method, url, body, signal, parse = JSON.parse) {
  /** @type {RequestInit} */
  const init = { method, credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" } };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.headers = { Accept: "application/json", "Content-Type": "application/json" };
    init.body = typeof body === "string" ? body : JSON.stringify(body);
  }
  const response = await answerTo(url, init);
  if (response.status === 204) return null;
  try {
    return parse(await response.text());
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
}

/**
 * An answer that is no error.
 * @param {URL} url
 * @param {RequestInit} init
 */
async function answerTo(url, init) {
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw unreachable();
  }
  noteClock(response);
  if (response.ok) return response;
  const problem = await read(response);
  if (problem.kind === "signed_out") onSignedOut();
  throw problem;
}

function unreachable() {
  return new Problem("offline", "Rollcall cannot be reached. Check the connection, or whether the service runs.");
}

/** @param {Response} response */
function noteClock(response) {
  const date = Date.parse(response.headers.get("date") ?? "");
  const difference = date - Date.now();
  // The header has whole seconds, so small differences mean nothing.
  if (Number.isFinite(date)) clockDifference = Math.abs(difference) > 5000 ? difference : 0;
}

/** @param {Response} response */
async function read(response) {
  const details = await response.json().catch(() => ({}));
  const kind = kindOf(response.status, details.code);
  const seconds = Number(response.headers.get("retry-after"));
  return new Problem(kind, details.detail ?? details.title ?? `The service answered ${response.status}.`, {
    status: response.status,
    code: details.code,
    errors: details.errors,
    retryAt: seconds > 0 ? Date.now() + seconds * 1000 : null,
    requestId: response.headers.get("x-request-id"),
  });
}

/**
 * @param {number} status
 * @param {string | undefined} code
 * @returns {ProblemKind}
 */
function kindOf(status, code) {
  if (code === "too_slow") return "slow";
  if (status === 401) return "signed_out";
  if (status === 403) return "forbidden";
  if (status === 404) return "missing";
  if (status === 429) return "limited";
  if (status === 502 || status === 503 || status === 504) return "away";
  return status < 500 ? "invalid" : "failed";
}
