// What a page about one user, session, account or event shows if its address names none: a field for the id.

import { go, href } from "../route.js";
import { html, useState } from "../view.js";
import { Card } from "./page.js";

/**
 * @param {{ one: string, page: string, list?: string, parameter?: string }} props `list` is the page of all of them
 */
export function NoSubject({ one, page, list, parameter = "id" }) {
  const [text, setText] = useState("");
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    if (text !== "") go(href(page, { [parameter]: text }));
  };
  return html`<${Card}><form class="form" onSubmit=${submit}>
    <label class="field"><span>Id of the ${one}</span><input value=${text} autocomplete="off" spellcheck=${false} dir="auto" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></label>
    <div class="form-actions"><button type="submit" class="primary" disabled=${text === ""}>Show the ${one}</button>${list && html`<a href=${href(list)}>All ${one}s</a>`}</div>
  </form><//>`;
}
