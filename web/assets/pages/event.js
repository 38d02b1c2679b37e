// One event: where it is in the pipeline, and what it says.

import { useAnswer } from "../answer.js";
import { longDay, Time } from "../format.js";
import { exact } from "../json.js";
import { dayOf } from "../clock.js";
import { Copy, Id } from "../parts/controls.js";
import { EventDetail } from "../parts/event_detail.js";
import { EVENT_CSV } from "../parts/event_rows.js";
import { NoSubject } from "../parts/no_subject.js";
import { Card, Export, Page } from "../parts/page.js";
import { PipelineState } from "../parts/pipeline_state.js";
import { Answered } from "../parts/states.js";
import { useParams } from "../route.js";
import { zone } from "../session.js";
import { html } from "../view.js";

/** @typedef {import("../types.js").Event} Event */

const DEFAULTS = { event_id: "" };
/** An id may be there on several days, but hardly ever on so many. */
const LIMIT = 20;

export default function EventPage() {
  const [view] = useParams(DEFAULTS);
  if (view.event_id === "") return html`<${Page} title="Event"><${NoSubject} one="event" page="event" parameter="event_id" list="events" /><//>`;
  return html`<${Found} key=${view.event_id} id=${view.event_id} />`;
}

/** @param {{ id: string }} props */
function Found({ id }) {
  const params = { event_id: id, limit: LIMIT };
  const answer = useAnswer("/events", params, { parse: exact });
  return html`<${Page} title="Event" subject=${id}>
    <${Answered} answer=${answer} height=${400} isEmpty=${(/** @type {import("../types.js").Page<Event>} */ page) => page.data.length === 0}
      empty=${html`<${Card} title="Not stored"><${PipelineState} eventId=${id} onStored=${answer.reload} /><//>`}>
      ${(/** @type {import("../types.js").Page<Event>} */ page) => page.data.map((event) => html`<${Card} key=${event.occurred_at} title=${html`<${Id} text=${event.event_type} /> <span class="quiet"><${Time} at=${event.occurred_at} zone=${zone()} /></span>`}
        note=${page.data.length > 1 ? `The id is there ${page.data.length} times. This one is of ${longDay(dayOf(event.occurred_at, zone()))}.` : undefined}
        actions=${html`<${Copy} text=${JSON.stringify(event, null, 2)} label="Copy JSON" /><${Export} name="event" columns=${EVENT_CSV} rows=${[event]} question=${{ path: "/events", params }} />`}>
        <${EventDetail} event=${event} />
      <//>`)}
    <//>
  <//>`;
}
