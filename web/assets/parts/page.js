// The frame of a page and of what is on it.

import { curl } from "../api.js";
import { csv, save } from "../csv.js";
import { html, useEffect, useId } from "../view.js";
import { copy, Menu } from "./controls.js";

/**
 * A page: its title, its controls, and what they change.
 * @param {{ title: string, subject?: string, about?: any, controls?: any, children?: any }} props `subject` is the id of what the page is about
 */
export function Page({ title, subject, about, controls, children }) {
  useEffect(() => {
    document.title = `${title}${subject ? ` ${subject}` : ""} · Rollcall`;
  }, [title, subject]);
  return html`
    <header class="page-head">
      <div><h1 tabindex="-1">${title}${subject && html` <bdi class="subject">${subject}</bdi>`}</h1>${about && html`<p class="about">${about}</p>`}</div>
    </header>
    ${controls && html`<div class="controls" role="group" aria-label="What is shown">${controls}</div>`}
    ${children}
  `;
}

/**
 * A part of a page with a title. `actions` are at the right of the title, usually `Export`.
 * @param {{ title?: any, note?: any, actions?: any, children?: any, class?: string }} props
 */
export function Card({ title, note, actions, children, class: name = "" }) {
  const id = useId();
  return html`<section class=${`card ${name}`} aria-labelledby=${title ? id : undefined}>
    ${(title || actions) && html`<header class="card-head">
      <div>${title && html`<h2 id=${id}>${title}</h2>`}${note && html`<p class="note">${note}</p>`}</div>
      ${actions && html`<div class="card-actions">${actions}</div>`}
    </header>`}
    ${children}
  </section>`;
}

/**
 * The menu of what can be taken along: CSV, PNG, the request for a terminal, a link whose period does not move.
 * @template Row
 * @param {object} props
 * @param {string} props.name of the files, without ending
 * @param {readonly import("../csv.js").CsvColumn<Row>[]} [props.columns]
 * @param {readonly Row[]} [props.rows]
 * @param {() => void} [props.onPng]
 * @param {{ path: string, params?: import("../api.js").Params }} [props.question]
 * @param {string} [props.fixedLink] an address of `href` with fixed days
 */
export function Export({ name, columns, rows, onPng, question, fixedLink }) {
  return html`<${Menu} name=${`Export ${name}`} label=${html`<span aria-hidden="true">⋯</span>`} items=${[
    { label: "Download CSV", run: () => columns && rows && save(`${name}.csv`, csv(columns, rows)), isHidden: !columns },
    { label: "Download PNG", run: onPng, isHidden: !onPng },
    { label: "Copy as curl", run: () => question && copy(curl(question.path, question.params)), isHidden: !question },
    { label: "Copy link to these dates", run: () => fixedLink && copy(new URL(fixedLink, location.href).href), isHidden: !fixedLink },
  ]} />`;
}

/**
 * A number with its name, and how it compares.
 * @param {{ label: string, note?: any, value: any, compared?: any, children?: any, title?: string }} props
 */
export function Stat({ label, note, value, compared, children, title }) {
  return html`<div class="stat" title=${title}>
    <p class="stat-label">${label}</p>
    <p class="stat-value">${value}</p>
    ${compared && html`<p class="stat-compared">${compared}</p>`}
    ${note && html`<p class="note">${note}</p>`}
    ${children}
  </div>`;
}
