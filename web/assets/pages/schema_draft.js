// A first schema of an event type, from the properties that its latest events have.

/** Share of the events from which a property seems to be required. */
const REQUIRED_SHARE = 1;

/** @param {readonly import("../types.js").Property[]} properties */
export function draftSchema(properties) {
  return {
    type: "object",
    properties: Object.fromEntries(properties.map(({ property, types }) => [property, types.length === 1 ? { type: types[0] } : { type: types }])),
    required: properties.filter(({ share }) => share >= REQUIRED_SHARE).map(({ property }) => property),
  };
}
