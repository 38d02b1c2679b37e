// A table for any number of rows. Past a few hundred, only the rows in view are in the document, so ten thousand
// scroll like ten. It scrolls inside of itself, so the page never scrolls sideways.

import { html, useLayoutEffect, useMemo, useRef, useState } from "../view.js";

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {(row: Row) => any} show what the cell contains
 * @property {(row: Row) => string | number | boolean | null | undefined} [value] for sorting and CSV
 * @property {boolean} [isNumber] aligned at the right, with digits of equal width
 * @property {boolean} [isSortable] only where the rows are complete
 * @property {boolean} [isWide] takes the room that others leave
 */

/** The height of a row in pixels, as in style.css: rows that differ in height could not be left out. */
const ROW_PX = 36;
/** Up to this number of rows, all are in the document. */
const ALL_ROWS = 200;
/** Rows in the document above and below those in view. */
const SPARE_ROWS = 20;

/**
 * @template Row
 * @param {object} props
 * @param {string} props.caption what the table shows, for screen readers
 * @param {readonly Column<Row>[]} props.columns
 * @param {readonly Row[]} props.rows
 * @param {(row: Row) => string} props.rowKey
 * @param {(row: Row) => void} [props.onRow] the whole row is a button; put a link in a cell too, for the keyboard
 * @param {(row: Row) => string} [props.rowClass]
 * @param {number} [props.height] most pixels; 640 if absent
 * @param {any} [props.foot] below the rows, such as a button that loads more
 */
export function DataTable({ caption, columns, rows, rowKey, onRow, rowClass, height = 640, foot }) {
  const [sort, setSort] = useState(/** @type {{ key: string, isDescending: boolean } | null} */ (null));
  const [top, setTop] = useState(0);
  const room = useRef(/** @type {HTMLElement | null} */ (null));
  const sorted = useMemo(() => inOrder(rows, columns, sort), [rows, sort]);
  const isWhole = sorted.length <= ALL_ROWS;
  const first = isWhole ? 0 : Math.max(0, Math.min(Math.floor(top / ROW_PX), sorted.length) - SPARE_ROWS);
  const last = isWhole ? sorted.length : Math.min(sorted.length, first + Math.ceil(height / ROW_PX) + 2 * SPARE_ROWS);
  useLayoutEffect(() => {
    // After a change to fewer rows, the browser may have scrolled by itself.
    if (room.current) setTop(room.current.scrollTop);
  }, [sorted.length]);
  /** @param {string} key */
  const turn = (key) => setSort((now) => (now?.key === key ? { key, isDescending: !now.isDescending } : { key, isDescending: true }));
  /** @param {number} count */
  const gap = (count) => count > 0 && html`<tr aria-hidden="true" class="gap"><td colspan=${columns.length} style=${{ height: `${count * ROW_PX}px` }}></td></tr>`;
  return html`<div class="table-room" ref=${room} style=${{ maxHeight: `${height}px` }} tabindex="0" role="region" aria-label=${caption}
      onScroll=${isWhole ? undefined : (/** @type {any} */ event) => setTop(event.currentTarget.scrollTop)}>
    <table class="data" aria-rowcount=${sorted.length + 1}>
      <caption class="unseen">${caption}</caption>
      <thead><tr aria-rowindex="1">${columns.map((column) => html`<${Head} key=${column.key} column=${column} sort=${sort} onSort=${turn} />`)}</tr></thead>
      <tbody>
        ${gap(first)}
        ${sorted.slice(first, last).map((row, index) => html`<tr key=${rowKey(row)} aria-rowindex=${first + index + 2} class=${`${onRow ? "pressable" : ""} ${rowClass?.(row) ?? ""}`}
            onClick=${onRow && ((/** @type {MouseEvent} */ event) => isPlain(event) && onRow(row))}>
          ${columns.map((column) => html`<td key=${column.key} class=${cellClass(column)}>${column.show(row)}</td>`)}
        </tr>`)}
        ${gap(sorted.length - last)}
      </tbody>
    </table>
    ${foot}
  </div>`;
}

/** @param {{ column: Column<any>, sort: { key: string, isDescending: boolean } | null, onSort: (key: string) => void }} props */
function Head({ column, sort, onSort }) {
  const isSorted = sort?.key === column.key;
  const order = isSorted ? (sort?.isDescending ? "descending" : "ascending") : undefined;
  const text = column.isSortable
    ? html`<button type="button" class="sort" onClick=${() => onSort(column.key)}>${column.label}<span aria-hidden="true">${isSorted ? (sort?.isDescending ? " ↓" : " ↑") : ""}</span></button>`
    : column.label;
  return html`<th scope="col" aria-sort=${order} class=${cellClass(column)}>${text}</th>`;
}

/** @param {Column<any>} column */
function cellClass(column) {
  return `${column.isNumber ? "number" : ""} ${column.isWide ? "wide" : ""}`.trim();
}

/**
 * Whether a click is for the row: not on a link or button in it, and not the end of selecting text.
 * @param {MouseEvent} event
 */
function isPlain(event) {
  const isControl = event.target instanceof Element && event.target.closest("a, button, input");
  return !isControl && String(getSelection()) === "";
}

/**
 * @template Row
 * @param {readonly Row[]} rows
 * @param {readonly Column<Row>[]} columns
 * @param {{ key: string, isDescending: boolean } | null} sort
 */
function inOrder(rows, columns, sort) {
  const value = columns.find((column) => column.key === sort?.key)?.value;
  if (!sort || !value) return rows;
  const sign = sort.isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a) ?? null, value(b) ?? null];
    // What has no value is last in both orders.
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return left < right ? -sign : left > right ? sign : 0;
  });
}

/**
 * The columns as CSV columns.
 * @template Row
 * @param {readonly Column<Row>[]} columns
 * @returns {import("../csv.js").CsvColumn<Row>[]}
 */
export function asCsv(columns) {
  return columns.filter((column) => column.value).map(({ label, value }) => ({ label, value: (/** @type {Row} */ row) => value?.(row) }));
}
