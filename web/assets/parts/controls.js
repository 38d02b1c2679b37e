// Small controls: a choice of a few values, a menu, a button that copies, a switch.

import { html, useEffect, useRef, useState } from "../view.js";

/**
 * One of a few values, side by side.
 * @param {{ label: string, value: string, options: readonly (readonly [value: string, label: string])[], onChange: (value: string) => void }} props
 */
export function Choice({ label, value, options, onChange }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(([option, text]) => html`<button type="button" key=${option} aria-pressed=${option === value} onClick=${() => onChange(option)}>${text}</button>`)}
  </div>`;
}

/**
 * One of several values, as a list that opens.
 * @param {{ label: string, name?: string, value: string, options: readonly (readonly [value: string, label: string])[], onChange: (value: string) => void }} props `name` is for screen readers, where there is no room for a label
 */
export function Select({ label, name, value, options, onChange }) {
  return html`<label class="inline-field"><span>${label}</span>
    <select value=${value} aria-label=${name} onChange=${(/** @type {any} */ event) => onChange(event.target.value)}>
      ${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}
    </select>
  </label>`;
}

/**
 * Something that is on or off.
 * @param {{ label: string, value: boolean, onChange: (value: boolean) => void }} props
 */
export function Switch({ label, value, onChange }) {
  return html`<label class="switch"><input type="checkbox" role="switch" checked=${value} onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} /><span>${label}</span></label>`;
}

/**
 * A button that opens a list of actions. Escape, and a click elsewhere, close it.
 * @param {{ label: any, name: string, items: readonly { label: string, run?: () => void, href?: string, isHidden?: boolean }[] }} props `name` is what a screen reader says
 */
export function Menu({ label, name, items }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (!isOpen) return undefined;
    /** @param {Event} event */
    const outside = (event) => root.current?.contains(/** @type {Node} */ (event.target)) || setOpen(false);
    addEventListener("pointerdown", outside);
    /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("[role=menuitem]"))?.focus();
    return () => removeEventListener("pointerdown", outside);
  }, [isOpen]);
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    if (!isOpen) return;
    const entries = /** @type {HTMLElement[]} */ ([...(root.current?.querySelectorAll("[role=menuitem]") ?? [])]);
    const at = entries.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape" || event.key === "Tab") {
      setOpen(false);
      if (event.key === "Escape") root.current?.querySelector("button")?.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      entries.at((at + (event.key === "ArrowDown" ? 1 : -1)) % entries.length)?.focus();
    }
  };
  return html`<div class="menu" ref=${root} onKeyDown=${move}>
    <button type="button" class="small ghost" aria-haspopup="menu" aria-expanded=${isOpen} aria-label=${name} title=${name} onClick=${() => setOpen(!isOpen)}>${label}</button>
    ${isOpen && html`<div class="menu-list" role="menu" aria-label=${name}>
      ${items.filter((item) => !item.isHidden).map((item) => item.href
        ? html`<a role="menuitem" tabindex="-1" key=${item.label} href=${item.href} onClick=${() => setOpen(false)}>${item.label}</a>`
        : html`<button type="button" role="menuitem" tabindex="-1" key=${item.label} onClick=${() => { setOpen(false); root.current?.querySelector("button")?.focus(); item.run?.(); }}>${item.label}</button>`)}
    </div>`}
  </div>`;
}

/**
 * Copies a text.
 * @param {{ text: string, label?: string }} props
 */
export function Copy({ text, label = "Copy" }) {
  const [isDone, setDone] = useState(false);
  const run = async () => {
    await copy(text);
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return html`<button type="button" class="small" onClick=${run}>${isDone ? "Copied" : label}<span class="unseen" role="status">${isDone ? "Copied" : ""}</span></button>`;
}

/**
 * @param {string} text
 */
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Browsers offer the clipboard only on TLS and on loopback.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * An id or another text from outside: its direction is its own, and it never stretches the page.
 * @param {{ text: string | null | undefined, href?: string }} props
 */
export function Id({ text, href }) {
  if (text === null || text === undefined) return html`<span class="none">–</span>`;
  const shown = html`<bdi class="id" title=${text}>${text}</bdi>`;
  return href ? html`<a href=${href}>${shown}</a>` : shown;
}
