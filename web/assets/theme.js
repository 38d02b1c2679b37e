// Light or dark: as the system is, unless the person has chosen. The choice stays in this browser.

import { signal } from "./view.js";

/** @typedef {"system" | "light" | "dark"} Theme */

const STORED = "rollcall.theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");

/** @returns {Theme} */
function stored() {
  try {
    const theme = localStorage.getItem(STORED);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
}

export const theme = signal(stored());
/** Whether it is dark now. Charts, which paint themselves, draw again when this changes. */
export const isDark = signal(false);

function apply() {
  isDark.value = theme.value === "dark" || (theme.value === "system" && DARK.matches);
  document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
}

/** @param {Theme} chosen */
export function choose(chosen) {
  theme.value = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, chosen);
  } catch {
    // A browser that stores nothing forgets the choice.
  }
  apply();
}

DARK.addEventListener("change", apply);
apply();
