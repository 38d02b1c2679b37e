// Asks before something is done that cannot be undone.

import { asProblem } from "../answer.js";
import { html, useEffect, useId, useRef, useState } from "../view.js";
import { Notice } from "./notice.js";

/**
 * A dialog. It stays open while the action runs, and shows why it failed.
 * @param {object} props
 * @param {string} props.title a question: "Revoke this key?"
 * @param {any} [props.children] what will happen
 * @param {string} props.action name of the button: "Revoke"
 * @param {boolean} [props.isDanger]
 * @param {string} [props.typed] what the person must type first, for what loses data
 * @param {() => Promise<unknown> | unknown} props.onConfirm
 * @param {() => void} props.onClose after the action, or when the person does not want it
 */
export function Confirm({ title, children, action, isDanger, typed, onConfirm, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [text, setText] = useState("");
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  /** @param {Event} event */
  const run = async (event) => {
    event.preventDefault();
    setRunning(true);
    setProblem(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setRunning(false);
    }
  };
  const isReady = !isRunning && (typed === undefined || text === typed);
  return html`
    <dialog ref=${dialog} class="dialog" aria-labelledby=${id} onClose=${onClose}>
      <form onSubmit=${run}>
        <h2 id=${id}>${title}</h2>
        ${children}
        ${typed !== undefined && html`<label class="field">
          <span>Type <code>${typed}</code> to confirm</span>
          <input value=${text} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
        </label>`}
        ${problem && html`<${Notice} problem=${problem} />`}
        <div class="dialog-actions">
          <button type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
          <button type="submit" class=${isDanger ? "danger" : "primary"} disabled=${!isReady}>${action}</button>
        </div>
      </form>
    </dialog>
  `;
}
