// Charts as PNG.

import { save } from "./csv.js";

/**
 * Saves what a canvas shows, under a title and on the background of the page.
 * @param {HTMLCanvasElement} canvas
 * @param {string} name of the file
 * @param {string} title
 */
export function savePng(canvas, name, title) {
  const style = getComputedStyle(document.documentElement);
  const scale = devicePixelRatio || 1;
  const [edge, head] = [16 * scale, 44 * scale];
  const image = document.createElement("canvas");
  image.width = canvas.width + 2 * edge;
  image.height = canvas.height + head + edge;
  const context = image.getContext("2d");
  if (!context) return;
  context.fillStyle = style.getPropertyValue("--surface");
  context.fillRect(0, 0, image.width, image.height);
  context.fillStyle = style.getPropertyValue("--text");
  context.font = `600 ${15 * scale}px ${style.getPropertyValue("--font")}`;
  context.fillText(title, edge, 28 * scale, canvas.width);
  context.drawImage(canvas, edge, head);
  image.toBlob((blob) => blob && save(name, blob), "image/png");
}
