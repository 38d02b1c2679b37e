// Accounts that had events lately, and a way to any other by its id.

import { useAnswer } from "../answer.js";
import { count } from "../format.js";
import { Id } from "../parts/controls.js";
import { asCsv, DataTable } from "../parts/data_table.js";
import { NoSubject } from "../parts/no_subject.js";
import { Nothing } from "../parts/nothing.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered, Empty } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { html } from "../view.js";

const DEFAULTS = { query: "" };
/** What the API lists at most. */
const LIMIT = 100;

export default function AccountsPage() {
  const [view, change] = useParams(DEFAULTS);
  const params = { limit: LIMIT };
  const answer = useAnswer("/accounts/sample", params);
  const columns = [
    { key: "account_id", label: "Account", isWide: true, value: (/** @type {string} */ id) => id, show: (/** @type {string} */ id) => html`<${Id} text=${id} href=${href("account", { id })} />` },
    { key: "events", label: "Events", show: (/** @type {string} */ id) => html`<a class="note" href=${href("events", { account_id: id })} aria-label=${`Events of ${id}`}>Events</a>` },
  ];
  const found = (answer.data?.account_ids ?? []).filter((/** @type {string} */ id) => id.toLowerCase().includes(view.query.toLowerCase()));
  const controls = html`<label class="inline-field"><span>Id contains</span><input type="search" value=${view.query} autocomplete="off" spellcheck=${false} dir="auto" onInput=${(/** @type {any} */ event) => change({ query: event.target.value }, "replace")} /></label>`;
  return html`<${Page} title="Accounts" about="An account is the organisation on whose behalf events happen: what clients send as account_id." controls=${controls}>
    <div class="grid">
      <${Card} title="Accounts with events" note=${`Up to ${LIMIT} accounts that had events lately, in the order of their ids`} actions=${html`<${Export} name="accounts" columns=${asCsv(columns)} rows=${found} question=${{ path: "/accounts/sample", params }} />`}>
        <${Answered} answer=${answer} height=${480} isEmpty=${(/** @type {{ account_ids: string[] }} */ data) => data.account_ids.length === 0} empty=${html`<${Nothing} what="events with an account_id" />`}>
          ${() => (found.length === 0 ? html`<${Empty} title="Nothing matches this filter" />` : html`
            <${DataTable} caption="List of accounts" columns=${columns} rows=${found} rowKey=${(/** @type {string} */ id) => id} height=${480} onRow=${(/** @type {string} */ id) => go(href("account", { id }))} />
            <p class="note" role="status">${count(found.length, "account")}</p>`)}
        <//>
      <//>
      <${NoSubject} one="account" page="account" />
    </div>
  <//>`;
}
