// The only file that knows uPlot: it paints lines or columns on a canvas. line_chart.js gives it its meaning.

import { short } from "../format.js";

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {readonly (number | null)[]} values one for each point
 * @property {boolean} [isBefore] the period before: thin, and grey or the colour that is given, but paler
 * @property {string} [color] name of a token, such as "--series-2"; the next free one if absent
 */

/** @typedef {{ at: string, label: string, short: string, isUnfinished?: boolean }} Point */

/**
 * @typedef {object} Options
 * @property {HTMLElement} room
 * @property {readonly Point[]} points
 * @property {readonly Line[]} lines
 * @property {"lines" | "columns"} kind columns are stacked in the order of the lines
 * @property {(value: number) => string} [format] of the axis
 * @property {number} height
 * @property {(index: number | null, leftPx: number) => void} onCursor
 */

/**
 * @typedef {object} Painted
 * @property {HTMLCanvasElement} canvas
 * @property {(index: number | null) => void} setCursor
 * @property {() => void} destroy
 */

const COLORS = 8;

/** @param {readonly Line[]} lines */
export function colorsOf(lines) {
  let next = 0;
  return lines.map((line) => line.color ?? (line.isBefore ? "--series-before" : `--series-${(next++ % COLORS) + 1}`));
}

/**
 * @param {Options} options
 * @returns {Promise<Painted>}
 */
export async function paint(options) {
  const { default: UPlot } = await import("../vendor/uplot.js");
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const token = (name) => style.getPropertyValue(name).trim();
  const { points, lines, kind, room, height } = options;
  const colors = colorsOf(lines).map(token);
  const drawn = kind === "columns" ? columns(UPlot, lines, points, colors, token("--surface")) : curves(lines, points, colors);
  const font = `12px ${token("--font")}`;
  const format = options.format ?? short;
  const chart = new UPlot({
    width: Math.max(120, room.clientWidth),
    height,
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { show: kind === "lines", size: 8 } },
    scales: {
      x: { time: false, range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => (kind === "columns" || min === max ? [min - 0.6, max + 0.6] : [min, max]) },
      y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { stroke: token("--quiet"), font, grid: { show: false }, ticks: { show: false }, size: 28, gap: 8, space: 64,
        splits: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ min, /** @type {number} */ max, /** @type {number} */ step) => splits(min, max, step, points.length),
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((index) => points[index]?.short ?? "") },
      { stroke: token("--quiet"), font, grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, border: { show: false }, gap: 6,
        size: (/** @type {any} */ _, /** @type {string[] | null} */ values) => Math.max(36, 16 + 7 * Math.max(0, ...(values ?? []).map((text) => text.length))),
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((value) => (Number.isInteger(value) || options.format ? format(value) : "")) },
    ],
    series: [{}, ...drawn.series],
    hooks: {
      setCursor: [(/** @type {any} */ plot) => options.onCursor(plot.cursor.idx ?? null, plot.cursor.left + plot.bbox.left / devicePixelRatio)],
    },
  }, [points.map((_, index) => index), ...drawn.values], room);
  const resized = new ResizeObserver(() => room.clientWidth > 0 && room.clientWidth !== chart.width && chart.setSize({ width: room.clientWidth, height }));
  resized.observe(room);
  return {
    canvas: chart.ctx.canvas,
    setCursor: (index) => chart.setCursor(index === null ? { left: -10, top: -10 } : { left: chart.valToPos(index, "x"), top: height / 2 }),
    destroy: () => {
      resized.disconnect();
      chart.destroy();
    },
  };
}

/**
 * Where the labels of the points are: at whole numbers, as many as fit.
 * @param {number} min @param {number} max @param {number} step @param {number} points
 */
function splits(min, max, step, points) {
  const every = Math.max(1, Math.ceil(step));
  const all = [];
  for (let index = Math.max(0, Math.ceil(min)); index <= Math.min(max, points - 1); index += every) all.push(index);
  return all;
}

/**
 * Each line is two series: one for what is finished, and a dashed one that leads to what is not.
 * @param {readonly Line[]} lines @param {readonly Point[]} points @param {readonly string[]} colors
 */
function curves(lines, points, colors) {
  const unfinished = points.findIndex((point) => point.isUnfinished);
  const end = unfinished === -1 ? points.length : unfinished;
  const series = [];
  const values = [];
  for (const [index, line] of lines.entries()) {
    const look = { stroke: colors[index], width: line.isBefore ? 1.5 : 2, alpha: line.isBefore && line.color ? 0.5 : 1, points: { show: points.length === 1 || undefined, size: 5 } };
    const isDashed = !line.isBefore && end < points.length;
    series.push(look);
    values.push(line.values.map((value, at) => (isDashed && at >= end ? null : value)));
    if (isDashed) {
      series.push({ ...look, dash: [5, 4] });
      values.push(line.values.map((value, at) => (at < end - 1 ? null : value)));
    }
  }
  return { series, values };
}

/**
 * Stacked columns. Each is painted from zero to the sum, the highest first, so the lower ones cover it. Where a number
 * will still grow, the column is paler.
 * @param {any} UPlot @param {readonly Line[]} lines @param {readonly Point[]} points @param {readonly string[]} colors @param {string} background
 */
function columns(UPlot, lines, points, colors, background) {
  const paths = UPlot.paths.bars({ size: [0.7, 48], radius: 0.1 });
  const look = { stroke: background, width: 1, paths, points: { show: false } };
  const series = [];
  const values = [];
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const sums = points.map((_, at) => lines.slice(0, index + 1).reduce((sum, line) => sum + (line.values[at] ?? 0), 0));
    const color = colors[index] ?? "";
    series.push({ ...look, fill: color }, { ...look, fill: mixed(color, background) });
    values.push(sums.map((sum, at) => (points[at]?.isUnfinished ? null : sum)), sums.map((sum, at) => (points[at]?.isUnfinished ? sum : null)));
  }
  return { series, values };
}

/**
 * The colour half way between two, each "#rrggbb".
 * @param {string} one @param {string} other
 */
function mixed(one, other) {
  const part = (/** @type {string} */ color, /** @type {number} */ at) => Number.parseInt(color.slice(1 + 2 * at, 3 + 2 * at), 16);
  return `#${[0, 1, 2].map((at) => Math.round((part(one, at) + part(other, at)) / 2).toString(16).padStart(2, "0")).join("")}`;
}
