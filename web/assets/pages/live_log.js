// What the page of live events remembers: a bounded list of what is shown, another one of what has arrived since and is
// not shown yet, and counts. It knows nothing of the screen.

import { exact } from "../json.js";

/** @typedef {import("../event_stream.js").Frame} Frame */
/**
 * A row: an event, or a place where events were missed (null if nobody knows how many).
 * @typedef {{ key: string, size: number, event: import("../types.js").Event | null, missed: number | null }} Row
 */

/** Most rows, and most characters of their events, of each of the two lists. */
export const MAX_ROWS = 1000;
const MAX_CHARACTERS = 8 * 1024 * 1024;
/** The seconds of the curve, and of the rate, which is an average so that it can be read. */
export const CURVE_SECONDS = 60;
const RATE_SECONDS = 10;

export class LiveLog {
  constructor() {
    /** @type {readonly Row[]} what is shown, latest first */
    this.rows = [];
    /** @type {readonly Row[]} what is not shown yet, latest first */
    this.waiting = [];
    /** How many events have arrived and are not shown yet, also those that no longer fit into `waiting`. */
    this.waitingEvents = 0;
    this.seen = 0;
    this.missed = 0;
    /** Whether events were missed besides, and nobody knows how many. */
    this.hasUnknownMissed = false;
    /** @type {Frame[]} what has arrived since `settle` */
    this.arrived = [];
    this.keys = 0;
    /** @type {number[]} events of each second, the last one of the second that has begun */
    this.seconds = [0];
    this.secondMs = performance.now();
  }

  /** @param {Frame} frame */
  take(frame) {
    this.tick();
    if (frame.event === "event") {
      this.seen += 1;
      this.waitingEvents += 1;
      this.count(1);
    } else if (frame.event === "missed") {
      const missed = /** @type {number | null} */ (JSON.parse(frame.data).missed);
      if (missed === null) this.hasUnknownMissed = true;
      else this.missed += missed;
      this.count(missed ?? 0);
    } else {
      return;
    }
    this.arrived.push(frame);
    // Whatever is read only to be dropped by `settle` need not be kept either.
    if (this.arrived.length >= 2 * MAX_ROWS) this.arrived = this.arrived.slice(-MAX_ROWS);
  }

  /**
   * Turns what has arrived into rows. They are shown unless somebody is reading.
   * @param {boolean} isHeld
   */
  settle(isHeld) {
    this.tick();
    const latest = this.arrived.slice(-MAX_ROWS).reverse().map((frame) => this.rowOf(frame));
    if (latest.length > 0) {
      this.arrived = [];
      this.waiting = cut([...latest, ...this.waiting]);
    }
    if (!isHeld) this.release();
  }

  /** Shows what waits. */
  release() {
    if (this.waiting.length > 0) this.rows = cut([...this.waiting, ...this.rows]);
    this.waiting = [];
    this.waitingEvents = 0;
  }

  /** Events a second, those that were missed too. */
  get rate() {
    const whole = this.seconds.slice(0, -1).slice(-RATE_SECONDS);
    if (whole.length === 0) return null;
    return whole.reduce((sum, events) => sum + events, 0) / whole.length;
  }

  /** Events of each whole second, the latest last. */
  get curve() {
    return this.seconds.slice(0, -1);
  }

  /** @param {number} events */
  count(events) {
    this.seconds.push((this.seconds.pop() ?? 0) + events);
  }

  /** Begins the seconds that have begun. */
  tick() {
    const whole = Math.floor((performance.now() - this.secondMs) / 1000);
    if (whole === 0) return;
    this.secondMs += whole * 1000;
    // After a sleep of the machine there may be thousands of empty seconds.
    this.seconds = [...this.seconds, ...Array(Math.min(whole, CURVE_SECONDS + 1)).fill(0)].slice(-CURVE_SECONDS - 1);
  }

  /**
   * @param {Frame} frame
   * @returns {Row}
   */
  rowOf({ event, data }) {
    this.keys += 1;
    const key = String(this.keys);
    if (event === "event") return { key, size: data.length, event: exact(data), missed: null };
    return { key, size: 0, event: null, missed: JSON.parse(data).missed };
  }
}

/**
 * The latest rows that may be kept.
 * @param {Row[]} rows latest first
 */
function cut(rows) {
  let characters = 0;
  const end = rows.findIndex((row, index) => {
    characters += row.size;
    return index >= MAX_ROWS || (characters > MAX_CHARACTERS && index > 0);
  });
  return end < 0 ? rows : rows.slice(0, end);
}
