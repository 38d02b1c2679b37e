// The page at /graphql: sends queries and subscriptions to the same path and shows the schema.
"use strict";

const EXAMPLES = {
  "Latest events": "{\n  latestEvents(limit: 10) {\n    eventId\n    eventType\n    userId\n    timestamp\n    payload\n  }\n}",
  "Events of a type": "{\n  eventsByType(eventType: \"page_view\", limit: 10) {\n    userId\n    timestamp\n    payload\n  }\n}",
  "Events of a user": "query ($user: String!) {\n  eventsByUser(userId: $user, limit: 10) {\n    eventType\n    timestamp\n  }\n}",
  "Active users": "{\n  activeUsers(granularity: \"week\") {\n    data { date uniqueUsers }\n  }\n}",
  "A page of events": "query ($cursor: String) {\n  events(limit: 20, cursor: $cursor) {\n    data { eventId eventType occurredAt }\n    nextCursor\n  }\n}",
  "Live events": "subscription {\n  events {\n    eventType\n    userId\n    timestamp\n  }\n}",
};
const SCHEMA = `{ __schema { queryType { name } subscriptionType { name } types { name description
  fields { name description args { name description type { ...T } } type { ...T } } } } }
  fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { name } } } } }`;
const SHOWN_CHARACTERS = 200000;

const element = (id) => document.getElementById(id);
let socket = null;

function show(text, status) {
  element("answer").textContent = text.slice(0, SHOWN_CHARACTERS);
  element("status").textContent = status;
}

// A request as both transports send it.
function request() {
  const variables = element("variables").value.trim();
  return { query: element("query").value, variables: variables ? JSON.parse(variables) : {} };
}

async function post(body) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-API-Key": element("key").value },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
}

function stop() {
  if (socket) socket.close(1000);
  socket = null;
  element("stop").disabled = true;
}

function subscribe(body) {
  const address = new URL("/graphql", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const current = new WebSocket(address, "graphql-transport-ws");
  socket = current;
  element("stop").disabled = false;
  show("", "connecting");
  current.onopen = () => current.send(JSON.stringify({ type: "connection_init", payload: { "X-API-Key": element("key").value } }));
  current.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "connection_ack") {
      current.send(JSON.stringify({ id: "1", type: "subscribe", payload: body }));
      show("", "waiting for events");
    } else if (message.type === "ping") {
      current.send(JSON.stringify({ type: "pong" }));
    } else if (message.type === "next" || message.type === "error") {
      show(JSON.stringify(message.payload, null, 2) + "\n" + element("answer").textContent, "live");
    }
  };
  current.onclose = ({ code, reason }) => {
    element("status").textContent = "closed: " + code + " " + reason;
    if (socket === current) stop();
  };
}

async function run() {
  stop();
  try {
    const body = request();
    if (/^\s*subscription\b/m.test(body.query)) return subscribe(body);
    const began = performance.now();
    const { status, answer } = await post(body);
    show(JSON.stringify(answer, null, 2), status + ", " + Math.round(performance.now() - began) + " ms");
  } catch (error) {
    show(String(error), "not sent");
  }
}

// The type as the schema writes it, such as [Event!]!.
function written(type) {
  if (!type) return "";
  if (type.kind === "NON_NULL") return written(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + written(type.ofType) + "]";
  return type.name;
}

function add(parent, name, text) {
  const child = document.createElement(name);
  child.textContent = text;
  return parent.appendChild(child);
}

function showType(type) {
  const details = document.createElement("details");
  add(add(details, "summary", ""), "code", type.name);
  if (type.description) add(details, "p", type.description);
  for (const field of type.fields) {
    const inner = details.appendChild(document.createElement("details"));
    add(add(inner, "summary", ""), "code", field.name + ": " + written(field.type));
    if (field.description) add(inner, "p", field.description);
    for (const argument of field.args) {
      add(inner, "code", argument.name + ": " + written(argument.type));
      add(inner, "p", argument.description || "");
    }
  }
  return details;
}

async function load() {
  const { answer } = await post({ query: SCHEMA });
  const target = element("schema");
  target.replaceChildren();
  if (!answer.data) return void add(target, "p", answer.message || answer.errors[0].message);
  const { queryType, subscriptionType, types } = answer.data.__schema;
  const roots = [queryType, subscriptionType].filter(Boolean).map((type) => type.name);
  const shown = types.filter((type) => type.fields && !type.name.startsWith("__"));
  shown.sort((one, other) => roots.includes(other.name) - roots.includes(one.name) || one.name.localeCompare(other.name));
  shown.forEach((type) => { target.append(showType(type)); });
}

for (const name of Object.keys(EXAMPLES)) add(element("example"), "option", name);
element("query").value = Object.values(EXAMPLES)[0];
element("example").onchange = ({ target }) => { element("query").value = EXAMPLES[target.value]; };
element("run").onclick = run;
element("stop").onclick = stop;
element("load").onclick = () => load().catch((error) => { element("schema").textContent = String(error); });
document.onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
};
