// A field that suggests what may be entered, as a combobox of WAI-ARIA. Anything may be entered, suggested or not.

import { html, useEffect, useId, useRef, useState } from "../view.js";

/** @typedef {{ value: string, note?: any }} Suggestion */

/** How long to wait for the next letter before asking. */
const PAUSE_MS = 150;

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} [props.placeholder]
 * @param {(query: string, signal: AbortSignal) => Promise<readonly Suggestion[]>} props.suggest
 * @param {(value: string) => void} props.onPick
 * @param {string} [props.value] what the field begins with; it stays there after picking if `keeps`
 * @param {boolean} [props.keeps]
 * @param {boolean} [props.isOnly] whether only suggestions may be picked
 */
export function TypeAhead({ label, placeholder, suggest, onPick, value = "", keeps, isOnly }) {
  const [text, setText] = useState(value);
  const [isOpen, setOpen] = useState(false);
  const [found, setFound] = useState(/** @type {readonly Suggestion[]} */ ([]));
  const [active, setActive] = useState(-1);
  const id = useId();
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const query = text.trim();
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      suggest(query, abort.signal).then((list) => {
        if (abort.signal.aborted) return;
        setFound(list);
        setActive(-1);
      }, () => abort.signal.aborted || setFound([]));
    }, found.length > 0 || query ? PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [query, isOpen]);
  /** @param {string} picked */
  const pick = (picked) => {
    if (picked === "" || (isOnly && !found.some((one) => one.value === picked))) return;
    setText(keeps ? picked : "");
    setActive(-1);
    setOpen(false);
    onPick(picked);
  };
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((at) => (found.length === 0 ? -1 : (at + step + found.length + (at < 0 && step < 0 ? 1 : 0)) % found.length));
    } else if (event.key === "Enter") {
      if (!isOpen && keeps) return;
      event.preventDefault();
      pick(found[active]?.value ?? query);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      setOpen(false);
    }
  };
  useEffect(() => {
    document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [active]);
  return html`<div class="type-ahead" ref=${root} onFocusOut=${(/** @type {FocusEvent} */ event) => root.current?.contains(/** @type {Node} */ (event.relatedTarget)) || setOpen(false)}>
    <input role="combobox" aria-label=${label} aria-expanded=${isOpen && found.length > 0} aria-controls=${id} aria-autocomplete="list" aria-activedescendant=${active >= 0 ? `${id}-${active}` : undefined}
      placeholder=${placeholder ?? label} value=${text} autocomplete="off" spellcheck=${false} dir="auto"
      onFocus=${() => setOpen(true)} onClick=${() => setOpen(true)} onKeyDown=${press}
      onInput=${(/** @type {any} */ event) => { setText(event.target.value); setActive(-1); setOpen(true); }}
      onChange=${(/** @type {any} */ event) => keeps && event.target.value.trim() !== value && onPick(event.target.value.trim())} />
    <ul id=${id} role="listbox" aria-label=${label} hidden=${!isOpen || found.length === 0}>
      ${found.map((one, index) => html`<li key=${one.value} id=${`${id}-${index}`} role="option" aria-selected=${index === active}
          onPointerDown=${(/** @type {Event} */ event) => { event.preventDefault(); pick(one.value); }}><bdi>${one.value}</bdi>${one.note && html`<span class="quiet">${one.note}</span>`}</li>`)}
    </ul>
  </div>`;
}
