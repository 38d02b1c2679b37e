// Lines or stacked columns over time. The canvas says nothing to a screen reader, so beside it there are a table of
// the same numbers, and a cursor for the keyboard that says the numbers of each point.

import { bucket, bucketShort, full } from "../format.js";
import { now } from "../api.js";
import { isUnfinished } from "../period.js";
import { savePng } from "../png.js";
import { today } from "../session.js";
import { isDark } from "../theme.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { colorsOf, paint } from "./canvas_chart.js";
import { DataTable } from "./data_table.js";
import { Card, Export } from "./page.js";

/** @typedef {import("./canvas_chart.js").Line} Line */
/** @typedef {import("./canvas_chart.js").Point} Point */

/**
 * The points of a series by their names in the answer.
 * @param {readonly string[]} names
 * @param {import("../period.js").Interval} interval
 * @returns {Point[]}
 */
export function pointsOf(names, interval) {
  return names.map((at) => ({ at, label: bucket(at, interval), short: bucketShort(at, interval), isUnfinished: isUnfinished(at, interval, today(), now()) }));
}

/**
 * A card with a chart, its legend, its table and its export.
 * @param {object} props
 * @param {string} props.title
 * @param {any} [props.note]
 * @param {string} props.name of the files, without ending
 * @param {readonly Point[]} props.points
 * @param {readonly Line[]} props.lines
 * @param {"lines" | "columns"} [props.kind]
 * @param {(value: number) => string} [props.format] how values are written; all digits if absent
 * @param {(value: number) => string} [props.axisFormat]
 * @param {string} [props.pointHead] head of the first column of the table
 * @param {number} [props.height]
 * @param {{ path: string, params?: import("../api.js").Params }} [props.question]
 * @param {string} [props.fixedLink]
 * @param {any} [props.actions] further controls beside the title
 */
export function ChartCard(props) {
  const { title, note, name, points, lines, format = full, pointHead = "Date", height = 280, actions } = props;
  const [isTable, setTable] = useState(false);
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const columns = [
    { key: "at", label: pointHead, show: (/** @type {any} */ row) => html`${row.point.label}${row.point.isUnfinished && html` <span class="so-far">so far</span>`}`, value: (/** @type {any} */ row) => row.point.at },
    ...lines.map((line, index) => ({
      key: `line-${index}`, label: line.label, isNumber: true, isSortable: true,
      show: (/** @type {any} */ row) => written(line.values[row.index], format),
      value: (/** @type {any} */ row) => line.values[row.index] ?? null,
    })),
  ];
  const rows = points.map((point, index) => ({ point, index }));
  return html`<${Card} title=${title} note=${note} class="chart-card" actions=${html`
      ${actions}
      <button type="button" class="small ghost" aria-pressed=${isTable} onClick=${() => setTable(!isTable)}>${isTable ? "Show as chart" : "Show as table"}</button>
      <${Export} name=${name} question=${props.question} fixedLink=${props.fixedLink} rows=${rows}
        columns=${columns.map((column) => ({ label: column.label, value: column.value }))}
        onPng=${isTable ? undefined : () => canvas.current && savePng(canvas.current, `${name}.png`, title)} />`}>
    ${isTable
      ? html`<${DataTable} caption=${`Table: ${title}`} columns=${columns} rows=${rows} rowKey=${(/** @type {any} */ row) => String(row.index)} height=${height + 40} />`
      : html`<${LineChart} ...${props} height=${height} canvas=${canvas} />`}
  <//>`;
}

/**
 * The chart alone. Pages use `ChartCard`.
 * @param {{ title: string, points: readonly Point[], lines: readonly Line[], kind?: "lines" | "columns", format?: (value: number) => string, axisFormat?: (value: number) => string, height?: number, canvas?: { current: HTMLCanvasElement | null } }} props
 */
export function LineChart({ title, points, lines, kind = "lines", format = full, axisFormat, height = 280, canvas }) {
  const room = useRef(/** @type {HTMLElement | null} */ (null));
  const painted = useRef(/** @type {import("./canvas_chart.js").Painted | null} */ (null));
  const [cursor, setCursor] = useState(/** @type {{ index: number, leftPx: number } | null} */ (null));
  const [isByKey, setByKey] = useState(false);
  const dark = isDark.value;
  useEffect(() => {
    let isGone = false;
    const element = /** @type {HTMLElement} */ (room.current);
    paint({ room: element, points, lines, kind, format: axisFormat, height, onCursor: (index, leftPx) => setCursor(index === null ? null : { index, leftPx }) }).then((done) => {
      if (isGone) return done.destroy();
      painted.current = done;
      if (canvas) canvas.current = done.canvas;
      element.dataset.painted = "true";
    });
    return () => {
      isGone = true;
      painted.current?.destroy();
      painted.current = null;
      delete element.dataset.painted;
    };
  }, [JSON.stringify([points, lines, kind, height]), dark]);
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    const at = cursor?.index ?? (event.key === "ArrowLeft" ? points.length : -1);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 }[event.key];
    if (event.key === "Escape") painted.current?.setCursor(null);
    if (to === undefined) return;
    event.preventDefault();
    setByKey(true);
    painted.current?.setCursor(Math.max(0, Math.min(points.length - 1, to)));
  };
  const point = cursor && points[cursor.index];
  const spoken = point && cursor ? `${point.label}${point.isUnfinished ? ", so far" : ""}: ${lines.map((line) => `${line.label} ${written(line.values[cursor.index], format)}`).join(", ")}` : "";
  return html`<div class="chart">
    <${Legend} lines=${lines} kind=${kind} hasUnfinished=${points.some((one) => one.isUnfinished)} />
    <div class="chart-room" style=${{ height: `${height}px` }} tabindex="0" role="group" aria-roledescription="chart" aria-label=${`${title}. Arrow keys read the points.`} onKeyDown=${press} onBlur=${() => painted.current?.setCursor(null)} onPointerMove=${() => setByKey(false)}>
      <div ref=${room} aria-hidden="true" style=${{ height: `${height}px` }}></div>
      ${point && cursor && html`<${Tip} point=${point} index=${cursor.index} leftPx=${cursor.leftPx} lines=${lines} format=${format} />`}
      <span class="unseen" role="status">${isByKey ? spoken : ""}</span>
    </div>
  </div>`;
}

/** @param {{ lines: readonly Line[], kind: "lines" | "columns", hasUnfinished: boolean }} props */
function Legend({ lines, kind, hasUnfinished }) {
  const colors = colorsOf(lines);
  // Painted first, so that it is behind the others, but named last.
  const order = [...lines.keys()].sort((a, b) => Number(lines[a]?.isBefore ?? false) - Number(lines[b]?.isBefore ?? false));
  return html`<ul class="legend">
    ${order.map((index) => html`<li key=${index}><span class=${lines[index]?.isBefore ? "swatch before" : "swatch"} aria-hidden="true" style=${{ background: `var(${colors[index]})` }}></span><bdi>${lines[index]?.label}</bdi></li>`)}
    ${hasUnfinished && html`<li class="quiet">${kind === "lines" ? html`<span class="swatch dashed" aria-hidden="true"></span>so far` : "paler: so far"}</li>`}
  </ul>`;
}

/** @param {{ point: Point, index: number, leftPx: number, lines: readonly Line[], format: (value: number) => string }} props */
function Tip({ point, index, leftPx, lines, format }) {
  const colors = colorsOf(lines);
  return html`<div class="tip" aria-hidden="true" style=${{ "--left": `${leftPx}px` }}>
    <p>${point.label}${point.isUnfinished && html` <span class="so-far">so far</span>`}</p>
    ${lines.map((line, at) => html`<p key=${at}><span class="swatch" style=${{ background: `var(${colors[at]})` }}></span><bdi>${line.label}</bdi><b>${written(line.values[index], format)}</b></p>`)}
  </div>`;
}

/** @param {number | null | undefined} value @param {(value: number) => string} format */
function written(value, format) {
  return value === null || value === undefined ? "–" : format(value);
}
