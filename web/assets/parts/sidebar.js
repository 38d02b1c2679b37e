// The menu: pages that the key may see, the project, and what concerns the person.

import { href, route } from "../route.js";
import { PAGES } from "../pages.js";
import { may, session, signOut } from "../session.js";
import { SERVICE } from "../place.js";
import { choose, theme } from "../theme.js";
import { html, useEffect, useState } from "../view.js";
import { Select } from "./controls.js";

const THEMES = /** @type {const} */ ([["system", "System"], ["light", "Light"], ["dark", "Dark"]]);

/** Pages that are reached from others mark the page that leads to them. */
const PARENTS = /** @type {Record<string, string>} */ ({ event: "events", user: "users", "session-timeline": "sessions", account: "accounts" });

export function Sidebar() {
  const [isOpen, setOpen] = useState(false);
  const { page } = route.value;
  useEffect(() => setOpen(false), [route.value]);
  const shown = PAGES.filter((entry) => entry.group !== undefined && may(entry.scope));
  const groups = [...new Set(shown.map((entry) => entry.group))];
  return html`<header class=${isOpen ? "sidebar open" : "sidebar"} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && setOpen(false)}>
    <div class="sidebar-head">
      <a class="brand" href=${href("overview")}><span class="logo" aria-hidden="true"><i></i><i></i><i></i></span>Rollcall</a>
      <button type="button" class="small ghost menu-button" aria-expanded=${isOpen} aria-controls="menu" onClick=${() => setOpen(!isOpen)}>Menu</button>
    </div>
    <div id="menu" class="sidebar-body">
      <nav aria-label="Pages">
        ${groups.map((group) => html`<div key=${group} class="nav-group">
          ${group && html`<p class="nav-title">${group}</p>`}
          <ul>${shown.filter((entry) => entry.group === group).map((entry) => html`<li key=${entry.path}>
            <a href=${href(entry.path)} aria-current=${(PARENTS[page] ?? page) === entry.path ? "page" : undefined}>${entry.title}</a>
          </li>`)}</ul>
        </div>`)}
      </nav>
      <div class="sidebar-foot">
        <p class="project"><b><bdi>${session.value?.project}</bdi></b><span class="quiet">${session.value?.time_zone}</span></p>
        <${Select} label="Theme" value=${theme.value} options=${THEMES} onChange=${choose} />
        <p class="foot-links"><a href=${new URL("docs", SERVICE).pathname}>API</a><button type="button" class="link" onClick=${signOut}>Sign out</button></p>
      </div>
    </div>
  </header>`;
}
