// Tables as CSV, and files that the browser saves.

/**
 * @template Row
 * @typedef {{ label: string, value: (row: Row) => string | number | boolean | null | undefined }} CsvColumn
 */

/**
 * @template Row
 * @param {readonly CsvColumn<Row>[]} columns
 * @param {readonly Row[]} rows
 */
export function csv(columns, rows) {
  const lines = [columns.map((column) => cell(column.label)), ...rows.map((row) => columns.map((column) => cell(column.value(row))))];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

/**
 * A text that a spreadsheet would run as a formula gets an apostrophe in front of it, as in the API's own CSV.
 * @param {string | number | boolean | null | undefined} value
 */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Saves a file.
 * @param {string} name
 * @param {string | Blob} content
 */
export function save(name, content) {
  const blob = typeof content === "string" ? new Blob([content], { type: "text/csv;charset=utf-8" }) : content;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
