// A filter for one id: of a user, an account, a session or an event.

import { get } from "../api.js";
import { html } from "../view.js";
import { Chip } from "./filters.js";
import { TypeAhead } from "./type_ahead.js";

/** Suggestions that are shown at most. */
const SUGGESTED = 20;

/**
 * @param {{ label: string, value: string, onChange: (value: string) => void, suggest?: (query: string, signal: AbortSignal) => Promise<readonly { value: string, note?: any }[]> }} props an empty value is no filter
 */
export function IdFilter({ label, value, onChange, suggest = suggestNothing }) {
  return html`<div class="chips id-filter" role="group" aria-label=${label}>${value
    ? html`<${Chip} label=${label} text=${value} name=${`Remove the filter ${label} ${value}`} onRemove=${() => onChange("")} />`
    : html`<${TypeAhead} label=${label} suggest=${suggest} onPick=${onChange} />`}</div>`;
}

async function suggestNothing() {
  return [];
}

/**
 * Users whose ids begin with what was typed.
 * @param {string} query
 * @param {AbortSignal} signal
 */
export async function suggestUsers(query, signal) {
  const { data } = await get("/users", { query, limit: SUGGESTED }, { signal });
  return data.map((/** @type {import("../types.js").User} */ user) => ({ value: user.user_id }));
}

/**
 * Accounts that had events lately and whose ids contain what was typed.
 * @param {string} query
 * @param {AbortSignal} signal
 */
export async function suggestAccounts(query, signal) {
  const { account_ids: ids } = await get("/accounts/sample", { limit: 100 }, { signal });
  return ids.filter((/** @type {string} */ id) => id.toLowerCase().includes(query.toLowerCase())).slice(0, SUGGESTED).map((/** @type {string} */ value) => ({ value }));
}
