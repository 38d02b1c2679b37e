// What every page and part imports: templates, hooks and signals, from the libraries in vendor/.

import htm from "./vendor/htm.js";
import { h } from "./vendor/preact.js";

export { Fragment, createRef, render } from "./vendor/preact.js";
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "./vendor/signals.js";

/**
 * A template: html`<p class="note">${text}</p>`. Text is never read as HTML.
 * @type {(strings: TemplateStringsArray, ...values: any[]) => any}
 */
export const html = htm.bind(h);
