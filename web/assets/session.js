// Who is signed in. The browser holds the session in a cookie that no script can read; this only knows what it allows.

import { get, send, whenSignedOut } from "./api.js";
import { today as todayIn } from "./period.js";
import { now } from "./api.js";
import { signal } from "./view.js";

/** @typedef {import("./types.js").Session} Session */

/** The session; null if nobody is signed in, undefined until that is known. */
export const session = signal(/** @type {Session | null | undefined} */ (undefined));

/** Whether somebody was signed in before on this page, so that the form can say that the session has ended. */
export const hasEnded = signal(false);

/** Asks who is signed in. */
export async function readSession() {
  session.value = await get("/ui/session");
}

/** @param {string} key */
export async function signIn(key) {
  session.value = await send("POST", "/ui/session", { key });
  hasEnded.value = false;
}

export async function signOut() {
  await send("DELETE", "/ui/session");
  hasEnded.value = false;
  session.value = null;
}

/**
 * Whether the key of the session has a scope.
 * @param {"read" | "ingest" | "admin"} scope
 */
export function may(scope) {
  return session.value?.scopes.includes(scope) ?? false;
}

/** The time zone of the project, in which all times are shown. */
export function zone() {
  return session.value?.time_zone ?? "UTC";
}

/** The day that it is in the project, "2025-10-01". */
export function today() {
  return todayIn(zone(), now());
}

whenSignedOut(() => {
  if (session.peek()) {
    hasEnded.value = true;
    session.value = null;
  }
});
