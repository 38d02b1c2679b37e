// Heatmaps and funnels as pictures to take along. On screen they are tables and lists; these are the same on a canvas.

import { full, percent } from "../format.js";

/** Sizes in pixels of the screen. */
const CELL = { width: 96, height: 32 };
const ROW_HEAD = 190;
const BAR = { width: 640, height: 20, step: 64 };
/** The shades of style.css have the colour of their text in these tokens; the others have that of all text. */
const TEXTS = /** @type {Record<number, string>} */ ({ 6: "--heat-text-6", 7: "--heat-text-6", 8: "--on-accent", 9: "--on-accent" });

/** @typedef {{ text: string, value: number | null, isOpen?: boolean }} Cell */

/**
 * @param {number} width
 * @param {number} height
 */
function canvasOf(width, height) {
  const scale = devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(scale, scale);
  context.textBaseline = "middle";
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const token = (name) => style.getPropertyValue(name).trim();
  /** @param {string} text @param {number} x @param {number} y @param {string} color @param {CanvasTextAlign} [align] @param {number} [most] */
  const write = (text, x, y, color, align = "left", most) => {
    context.font = `13px ${token("--font")}`;
    context.fillStyle = color;
    context.textAlign = align;
    context.fillText(text, x, y, most);
  };
  return { canvas, context, token, write };
}

/**
 * @param {readonly string[]} heads
 * @param {readonly { head: string, cells: readonly Cell[] }[]} rows
 * @param {number} max the value of the strongest colour
 */
export function heatPicture(heads, rows, max) {
  const { canvas, context, token, write } = canvasOf(ROW_HEAD + CELL.width * (heads.length - 1), CELL.height * (rows.length + 1));
  heads.forEach((head, index) => write(head, index === 0 ? 0 : ROW_HEAD + CELL.width * index - 8, CELL.height / 2, token("--quiet"), index === 0 ? "left" : "right", CELL.width));
  rows.forEach(({ head, cells }, row) => {
    const y = CELL.height * (row + 1);
    write(head, 0, y + CELL.height / 2, token("--text"), "left", ROW_HEAD - 8);
    cells.forEach((cell, column) => {
      const x = ROW_HEAD + CELL.width * column;
      const shade = cell.value === null ? null : Math.min(9, Math.floor((max > 0 ? Math.min(1, cell.value / max) : 0) * 10));
      if (shade !== null) {
        context.fillStyle = `rgb(${token("--heat")} / ${token(`--heat-${shade}`)})`;
        context.fillRect(x + 1, y + 1, CELL.width - 2, CELL.height - 2);
      }
      write(cell.isOpen ? `${cell.text} so far` : cell.text, x + CELL.width - 8, y + CELL.height / 2, token((shade !== null && TEXTS[shade]) || "--text"), "right", CELL.width - 12);
    });
  });
  return canvas;
}

/**
 * @param {readonly import("../types.js").FunnelStep[]} steps
 */
export function funnelPicture(steps) {
  const { canvas, context, token, write } = canvasOf(BAR.width, BAR.step * steps.length);
  steps.forEach((step, index) => {
    const y = BAR.step * index;
    write(`${index + 1}  ${step.step}`, 0, y + 12, token("--text"), "left", BAR.width * 0.7);
    write(index === 0 ? `${full(step.users)} people` : `${full(step.users)} people, ${percent(step.percent_of_first)} of the first`, BAR.width, y + 12, token("--text"), "right");
    context.fillStyle = token("--hover");
    context.fillRect(0, y + 28, BAR.width, BAR.height);
    context.fillStyle = token("--series-1");
    context.fillRect(0, y + 28, Math.max(2, (BAR.width * step.percent_of_first) / 100), BAR.height);
  });
  return canvas;
}
