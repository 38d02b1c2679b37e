// The form for the API key. The page that the address names comes after it.

import { asProblem } from "../answer.js";
import { Notice } from "../parts/notice.js";
import { hasEnded, signIn } from "../session.js";
import { html, useEffect, useRef, useState } from "../view.js";

export function SignIn() {
  const [key, setKey] = useState("");
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    document.title = "Sign in · Rollcall";
    field.current?.focus();
  }, []);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    setRunning(true);
    setProblem(null);
    try {
      await signIn(key.trim());
    } catch (error) {
      setProblem(asProblem(error));
      setRunning(false);
    }
  };
  const isWrong = problem?.kind === "signed_out";
  return html`<main class="alone">
    <form class="sign-in" onSubmit=${submit}>
      <p class="brand"><span class="logo" aria-hidden="true"><i></i><i></i><i></i></span>Rollcall</p>
      <h1>Sign in</h1>
      ${hasEnded.value && !problem && html`<p class="note" role="status">The session has ended. Sign in again to go on where you were.</p>`}
      <label class="field"><span>API key</span>
        <input ref=${field} type="password" name="key" value=${key} autocomplete="current-password" spellcheck=${false} required
          aria-invalid=${isWrong} aria-describedby="key-note" onInput=${(/** @type {any} */ event) => setKey(event.target.value)} />
      </label>
      <p class="note" id="key-note">${isWrong
        ? html`<b class="wrong" role="alert">There is no such key, or it has ended.</b> `
        : ""}The key stays in the service. This browser keeps a session of 12 hours, which ends when you sign out or the key is revoked.</p>
      ${problem && !isWrong && html`<${Notice} problem=${problem} />`}
      <button type="submit" class="primary" disabled=${isRunning || key.trim() === ""}>Sign in</button>
    </form>
  </main>`;
}
