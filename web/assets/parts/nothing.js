// What is shown where an answer is empty. It says which of two things is so: the project has no events at all, or none
// of them is what was asked for.

import { useAnswer } from "../answer.js";
import { href } from "../route.js";
import { may } from "../session.js";
import { html } from "../view.js";
import { Empty, Skeleton } from "./states.js";

/**
 * @param {{ isFiltered?: boolean, what?: string, children?: any }} props `what` there is none of, such as "sessions in this period"; with filters, they are what to change
 */
export function Nothing({ isFiltered, what = "events in this period", children }) {
  const types = useAnswer("/event-types", { limit: 1 });
  if (types.data === null && types.problem === null) return html`<${Skeleton} height=${96} />`;
  if (types.data?.data.length === 0) {
    return html`<${Empty} title="No events yet"><p>${may("ingest")
      ? html`<a href=${href("send-event")}>Send a test event</a>`
      : html`<a href=${href("overview")}>The overview</a> waits for the first one`}</p><//>`;
  }
  return html`<${Empty} title=${isFiltered ? "Nothing matches this filter" : `No ${what}`}>${children}<//>`;
}
