// Numbers, days and times as people read them. Days are never moved between time zones; instants are shown in the zone
// of the project.

import { html } from "./view.js";
import { addDays, firstOfMonth } from "./period.js";

// One language for everything on screen, whatever the browser's is.
const LANGUAGE = "en-GB";
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const FULL = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/**
 * All digits: "12,345".
 * @param {number} value
 */
export function full(value) {
  return FULL.format(value);
}

/**
 * At most a few digits: "12.3K". Below ten thousand, all of them.
 * @param {number} value
 */
export function short(value) {
  return Math.abs(value) < 10_000 ? (Number.isInteger(value) ? WHOLE : SHORT).format(value) : SHORT.format(value);
}

/**
 * A number, abbreviated, with all its digits on hover.
 * @param {{ value: number | null | undefined, unit?: string }} props
 */
export function Num({ value, unit }) {
  if (value === null || value === undefined) return html`<span class="none">–</span>`;
  const title = unit ? `${full(value)} ${unit}` : full(value);
  return html`<data class="num" value=${value} title=${title}>${short(value)}</data>`;
}

/**
 * A percentage: "41.3%". Values between 0 and 100 are never shown as either.
 * @param {number | null | undefined} value 41.25 for 41.25 %
 */
export function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.05) return "<0.1%";
  if (value > 99.95 && value < 100) return ">99.9%";
  return `${(Math.round(value * 10) / 10).toLocaleString("en")}%`;
}

/**
 * The change from one number to another in percent; null if there was nothing before.
 * @param {number} now
 * @param {number} before
 */
export function change(now, before) {
  return before === 0 ? null : ((now - before) / before) * 100;
}

/**
 * A duration: "3 min 20 s".
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
  const whole = Math.round(seconds);
  /** @type {[number, string][]} */
  const units = [[Math.floor(whole / 86_400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = units.findIndex(([count]) => count > 0);
  return units.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/**
 * @param {string} day
 * @param {Intl.DateTimeFormatOptions} options
 */
function ofDay(day, options) {
  // Formatted in the zone in which it was read, so it stays the same day.
  return new Intl.DateTimeFormat(LANGUAGE, { ...options, timeZone: "UTC" }).format(Date.parse(`${day}T00:00:00Z`)).replace(",", "");
}

/** @param {string} day "Wed 1 Oct 2025" */
export function longDay(day) {
  return ofDay(day, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
}

/** @param {string} day "1 Oct" */
export function shortDay(day) {
  return ofDay(day, { day: "numeric", month: "short" });
}

/** @param {string} day "Oct 2025" */
export function month(day) {
  return ofDay(day, { month: "short", year: "numeric" });
}

/**
 * "1 – 31 Oct 2025", or one day.
 * @param {import("./period.js").Days} days
 */
export function days({ from, to }) {
  if (from === to) return longDay(from);
  if (from === firstOfMonth(from) && addDays(to, 1) === firstOfMonth(addDays(to, 1)) && from.slice(0, 7) === to.slice(0, 7)) return month(from);
  if (from.slice(0, 7) === to.slice(0, 7)) return `${Number(from.slice(8))} – ${ofDay(to, { day: "numeric", month: "short", year: "numeric" })}`;
  const first = from.slice(0, 4) === to.slice(0, 4) ? shortDay(from) : ofDay(from, { day: "numeric", month: "short", year: "numeric" });
  return `${first} – ${ofDay(to, { day: "numeric", month: "short", year: "numeric" })}`;
}

/**
 * An interval by its name in answers: "Wed 1 Oct 2025", "Week of Mon 29 Sep 2025", "Oct 2025", "Wed 1 Oct 14:00".
 * @param {string} at
 * @param {import("./period.js").Interval} interval
 */
export function bucket(at, interval) {
  switch (interval) {
    case "hour":
      // The name is local time with the offset. The offset tells the two hours apart when clocks are put back.
      return `${ofDay(at.slice(0, 10), { weekday: "short", day: "numeric", month: "short" })} ${at.slice(11, 16)}`;
    case "day":
      return longDay(at);
    case "week":
      return `Week of ${longDay(at)}`;
    case "month":
      return month(at);
  }
}

/**
 * The same for an axis, where there is little room.
 * @param {string} at
 * @param {import("./period.js").Interval} interval
 */
export function bucketShort(at, interval) {
  if (interval === "hour") return at.slice(11, 16) === "00:00" ? shortDay(at.slice(0, 10)) : at.slice(11, 16);
  return interval === "month" ? ofDay(at, { month: "short", year: "2-digit" }) : shortDay(at);
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/**
 * An instant in the zone of the project: "Wed 1 Oct 2025 14:05:09".
 * @param {string} instant RFC 3339
 * @param {string} zone
 */
export function time(instant, zone) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat(LANGUAGE, {
      timeZone: zone, weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  return format.format(Date.parse(instant)).replaceAll(",", "");
}

/**
 * An instant, with its exact value on hover.
 * @param {{ at: string | null | undefined, zone: string }} props
 */
export function Time({ at, zone }) {
  if (!at) return html`<span class="none">–</span>`;
  return html`<time datetime=${at} title=${at}>${time(at, zone)}</time>`;
}

/**
 * How long ago something was: "3 min ago".
 * @param {string} instant
 * @param {number} nowMs
 */
export function ago(instant, nowMs) {
  const seconds = Math.max(0, (nowMs - Date.parse(instant)) / 1000);
  if (seconds < 5) return "just now";
  const [count, unit] = seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"] : seconds < 86_400 ? [seconds / 3600, "h"] : [seconds / 86_400, "d"];
  return `${Math.floor(count)} ${unit} ago`;
}

/**
 * "1 event", "2 events".
 * @param {number} value
 * @param {string} one
 * @param {string} [many]
 */
export function count(value, one, many = `${one}s`) {
  return `${full(value)} ${value === 1 ? one : many}`;
}
