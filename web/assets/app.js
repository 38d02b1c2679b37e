// The frame around all pages: the menu, and whichever page the address names.

import { asProblem } from "./answer.js";
import { Notice } from "./parts/notice.js";
import { Empty, Skeleton } from "./parts/states.js";
import { Sidebar } from "./parts/sidebar.js";
import { SignIn } from "./pages/sign_in.js";
import { PAGES } from "./pages.js";
import { followLinks, route } from "./route.js";
import { may, readSession, session } from "./session.js";
import "./theme.js";
import { html, render, useEffect, useRef, useState } from "./view.js";

function App() {
  const [problem, setProblem] = useState(/** @type {import("./api.js").Problem | null} */ (null));
  const ask = () => readSession().then(() => setProblem(null), (error) => setProblem(asProblem(error)));
  useEffect(() => {
    ask();
  }, []);
  if (problem && session.value === undefined) return html`<main class="alone"><${Notice} problem=${problem} onRetry=${ask} /></main>`;
  if (session.value === undefined) return html`<main class="alone" aria-busy="true"></main>`;
  if (session.value === null) return html`<${SignIn} />`;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <div class="frame">
      <${Sidebar} />
      <main id="main" tabindex="-1"><${Shown} key=${session.value.project} /></main>
    </div>
  `;
}

/** The page that the address names, if there is one and the key may see it. */
function Shown() {
  const { page } = route.value;
  const entry = PAGES.find((one) => one.path === page);
  const [loaded, setLoaded] = useState(/** @type {{ path: string, Component: any } | null} */ (null));
  const [problem, setProblem] = useState(/** @type {import("./api.js").Problem | null} */ (null));
  const isFirst = useRef(true);
  const isAllowed = entry !== undefined && may(entry.scope);
  const load = () => {
    setProblem(null);
    if (!entry || !isAllowed) return;
    entry.load().then(({ default: Component }) => setLoaded({ path: entry.path, Component }), (error) => setProblem(asProblem(error)));
  };
  useEffect(load, [page, isAllowed]);
  useEffect(() => {
    // Whoever uses a screen reader hears the title of the page that a link led to.
    if (loaded && !isFirst.current) document.querySelector("h1")?.focus({ preventScroll: true });
    if (loaded) isFirst.current = false;
  }, [loaded?.path]);
  if (!entry) return html`<${Empty} title="There is no such page"><p><a href="./">Overview</a></p><//>`;
  if (!isAllowed) return html`<${Empty} title="This key may not see this page"><p>It needs the scope <code>${entry.scope}</code>. Sign in with another key.</p><//>`;
  if (problem) return html`<${Notice} problem=${problem} onRetry=${load} />`;
  // Until the module of the next page is there, the page before stays.
  if (!loaded) return html`<${Skeleton} height=${480} />`;
  return html`<${loaded.Component} key=${loaded.path} />`;
}

followLinks();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
