// Everybody who has events, by id.

import { useList } from "../list.js";
import { Time } from "../format.js";
import { Id } from "../parts/controls.js";
import { DataTable } from "../parts/data_table.js";
import { More } from "../parts/more.js";
import { Nothing } from "../parts/nothing.js";
import { Card, Export, Page } from "../parts/page.js";
import { Answered } from "../parts/states.js";
import { go, href, useParams } from "../route.js";
import { zone } from "../session.js";
import { html, useEffect, useState } from "../view.js";

/** @typedef {import("../types.js").User} User */

const DEFAULTS = { query: "" };
const HEIGHT = 720;
/** How long to wait for the next letter. */
const PAUSE_MS = 200;

export default function UsersPage() {
  const [view, change] = useParams(DEFAULTS);
  const [text, setText] = useState(view.query);
  useEffect(() => setText(view.query), [view.query]);
  useEffect(() => {
    if (text === view.query) return undefined;
    const timer = setTimeout(() => change({ query: text }, "replace"), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const params = { query: view.query };
  const list = useList("/users", params);
  const columns = [
    { key: "user_id", label: "User", isWide: true, value: (/** @type {User} */ user) => user.user_id, show: (/** @type {User} */ user) => html`<${Id} text=${user.user_id} href=${href("user", { id: user.user_id })} />` },
    { key: "first_seen", label: `First seen (${zone()})`, value: (/** @type {User} */ user) => user.first_seen, show: (/** @type {User} */ user) => html`<${Time} at=${user.first_seen} zone=${zone()} />` },
    { key: "last_seen", label: "Last seen", value: (/** @type {User} */ user) => user.last_seen, show: (/** @type {User} */ user) => html`<${Time} at=${user.last_seen} zone=${zone()} />` },
  ];
  const csv = (/** @type {const} */ (["user_id", "first_seen", "last_seen"])).map((label) => ({ label, value: (/** @type {User} */ user) => user[label] }));
  const controls = html`<label class="inline-field"><span>Id begins with</span><input type="search" value=${text} autocomplete="off" spellcheck=${false} dir="auto" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label>`;
  return html`<${Page} title="Users" about="A user is who is counted: the user id of an event, else its anonymous id, else its session id." controls=${controls}>
    <${Card} title="Users" note="In the order of their ids" actions=${html`<${Export} name="users" columns=${csv} rows=${list.data ?? []} question=${{ path: "/users", params: { ...params, limit: 1000 } }} />`}>
      <${Answered} answer=${list} height=${HEIGHT} isEmpty=${(/** @type {User[]} */ rows) => rows.length === 0 && !list.hasMore} empty=${html`<${Nothing} isFiltered=${view.query !== ""} what="users" />`}>
        ${(/** @type {User[]} */ rows) => html`
          <${DataTable} caption="List of users" columns=${columns} rows=${rows} rowKey=${(/** @type {User} */ user) => user.user_id} height=${HEIGHT} onRow=${(/** @type {User} */ user) => go(href("user", { id: user.user_id }))} />
          <${More} list=${list} one="user" />`}
      <//>
    <//>
  <//>`;
}
