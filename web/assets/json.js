// JSON as it was sent. JavaScript would round numbers of more than 15 digits, and write 100.0 as 100.

/** @typedef {{ rawJSON?: (text: string) => unknown, isRawJSON?: (value: unknown) => boolean }} RawJson */
const { rawJSON, isRawJSON } = /** @type {RawJson} */ (JSON);

/**
 * Reads JSON, and keeps the digits of numbers that a number of JavaScript would change. Such a value is not a number;
 * `JSON.stringify` and `scalar` write it as it was. Old browsers, which cannot do this, change the number.
 * @param {string} text
 */
export function exact(text) {
  return JSON.parse(text, /** @type {any} */ (revive));
}

/**
 * @param {string} _ the key
 * @param {unknown} value
 * @param {{ source?: string }} [context]
 */
function revive(_, value, context) {
  if (typeof value !== "number" || !rawJSON || context?.source === undefined || context.source === String(value)) return value;
  return rawJSON(context.source);
}

/**
 * The text of a value that is neither a list nor an object; null for those.
 * @param {unknown} value
 */
export function scalar(value) {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || isRawJSON?.(value)) return JSON.stringify(value);
  return null;
}

/**
 * A value on several lines.
 * @param {unknown} value
 */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/**
 * The properties of an event by their paths, as filters name them: objects are followed, lists are not.
 * @param {Record<string, unknown>} properties
 * @returns {{ path: string, value: unknown, isNamed: boolean }[]} `isNamed` is whether a filter can name the path
 */
export function paths(properties) {
  /** @type {{ path: string, value: unknown, isNamed: boolean }[]} */
  const found = [];
  // From a list of what is left to do, because objects may be nested deeply.
  const left = Object.entries(properties).map(([key, value]) => ({ keys: [key], value })).reverse();
  for (let next = left.pop(); next; next = left.pop()) {
    const { keys, value } = next;
    const inner = value !== null && typeof value === "object" && !Array.isArray(value) && !isRawJSON?.(value) ? Object.entries(value) : [];
    for (const [key, one] of inner.reverse()) left.push({ keys: [...keys, key], value: one });
    if (inner.length === 0) found.push({ path: keys.join("."), value, isNamed: keys.length <= 10 && keys.every((key) => key !== "" && !/[.:]/.test(key)) });
  }
  return found;
}
