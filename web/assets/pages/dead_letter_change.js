// Sending dead letters again, and purging them: first a dry run that counts, then a question, then the change, page by
// page. Purging loses data, so it makes people type what they do.

import { send } from "../api.js";
import { asProblem } from "../answer.js";
import { count, full } from "../format.js";
import { Confirm } from "../parts/confirm.js";
import { html, useRef, useState } from "../view.js";

/** @typedef {"redrive" | "purge"} Act */
/**
 * The letters: those of a list that pass a filter, or one of them. `isAll` says that no filter is set.
 * @typedef {{ path: string, params: Record<string, string>, isAll?: boolean }} Target
 */
/** @typedef {{ letters: number, events: number }} Sum */
/** @typedef {{ act: Act, target: Target, counted: Sum }} Asked */

/** Letters of one request. */
const PAGE = 1000;

/**
 * One page of a change, or of its dry run.
 * @param {Act} act
 * @param {Target} target
 * @param {{ isDryRun: boolean, cursor: string | null }} how
 */
function changePage(act, { path, params, isAll }, { isDryRun, cursor }) {
  const isList = isAll !== undefined;
  const all = { ...params, ...(isList && { limit: PAGE, cursor }), ...(isDryRun && { dry_run: true }) };
  return act === "redrive" ? send("POST", `${path}/redrive`, undefined, all) : send("DELETE", path, undefined, isAll ? { ...all, all: true } : all);
}

/**
 * Changes all pages, or counts them, until `onPage` says that it is enough.
 * @param {Act} act
 * @param {Target} target
 * @param {boolean} isDryRun
 * @param {(sum: Sum) => boolean} onPage is told the sum so far
 */
async function changeAll(act, target, isDryRun, onPage) {
  let sum = { letters: 0, events: 0 };
  /** @type {string | null} */
  let cursor = null;
  do {
    /** @type {{ matched: number, events_count: number, next_cursor: string | null }} */
    const page = await changePage(act, target, { isDryRun, cursor });
    sum = { letters: sum.letters + page.matched, events: sum.events + page.events_count };
    cursor = page.next_cursor;
  } while (onPage(sum) && cursor !== null);
  return sum;
}

/** Counts before it asks. */
export function useChange() {
  const [asked, setAsked] = useState(/** @type {Asked | null} */ (null));
  const [isCounting, setCounting] = useState(false);
  const [problem, setProblem] = useState(/** @type {import("../api.js").Problem | null} */ (null));
  /** @param {Act} act @param {Target} target */
  const ask = async (act, target) => {
    setCounting(true);
    setProblem(null);
    try {
      setAsked({ act, target, counted: await changeAll(act, target, true, () => true) });
    } catch (error) {
      setProblem(asProblem(error));
    }
    setCounting(false);
  };
  return { asked, problem, isCounting, ask, close: () => setAsked(null) };
}

/** @param {{ asked: Asked, onClose: () => void, onDone: (text: string) => void }} props */
export function ChangeDialog({ asked, onClose, onDone }) {
  const { act, target, counted } = asked;
  const isStopped = useRef(false);
  const [done, setDone] = useState(/** @type {Sum | null} */ (null));
  const letters = count(counted.letters, "dead letter");
  const isRedrive = act === "redrive";
  const run = async () => {
    let sum = { letters: 0, events: 0 };
    let isWhole = false;
    try {
      await changeAll(act, target, false, (so) => {
        sum = so;
        setDone(so);
        return !isStopped.current;
      });
      isWhole = !isStopped.current;
    } finally {
      // What was changed before a failure stays changed, so it is reported.
      if (isWhole || sum.letters > 0) onDone(report(act, sum, isWhole));
    }
  };
  const close = () => {
    isStopped.current = true;
    onClose();
  };
  if (counted.letters === 0) return html`<${Confirm} title=${isRedrive ? "There is nothing to send again" : "There is nothing to purge"} action="Close" onConfirm=${() => {}} onClose=${close}><p>The dry run found no letter that matches. Somebody may have changed them.</p><//>`;
  return html`<${Confirm} title=${isRedrive ? `Send ${letters} again?` : `Purge ${letters}?`} action=${isRedrive ? "Send again" : "Purge"} isDanger=${!isRedrive}
      typed=${isRedrive ? undefined : `purge ${counted.letters}`} onConfirm=${run} onClose=${close}>
    <p>A dry run counted <b>${letters}</b> with <b>${count(counted.events, "event")}</b>. ${isRedrive
      ? "Their events go to the queue again. What is stored already is not stored twice, and what fails again comes back as a dead letter."
      : "Their events were never stored. They are deleted for ever, and nothing brings them back."}</p>
    ${done && html`<p class="note" role="status">${full(done.letters)} of ${full(counted.letters)} done</p>`}
  <//>`;
}

/**
 * @param {Act} act
 * @param {Sum} sum
 * @param {boolean} isWhole
 */
function report(act, sum, isWhole) {
  const what = `${count(sum.letters, "dead letter")} with ${count(sum.events, "event")} ${sum.letters === 1 ? "was" : "were"} ${act === "redrive" ? "sent again" : "purged"}.`;
  const more = isWhole ? "" : " The others are still there.";
  return act === "redrive" ? `${what}${more} What fails again comes back to this list.` : `${what}${more}`;
}
