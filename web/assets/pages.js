// The pages: one line for each. A page is a module whose default export is a component without properties.

/**
 * @typedef {object} PageEntry
 * @property {string} path below the dashboard, one segment
 * @property {string} title in the menu
 * @property {string} [group] in the menu; pages without one are reached from others
 * @property {"read" | "ingest" | "admin"} scope that the key needs
 * @property {() => Promise<{ default: () => any }>} load
 */

/** @type {readonly PageEntry[]} */
export const PAGES = [
  { path: "overview", title: "Overview", group: "", scope: "read", load: () => import("./pages/overview.js") },
  { path: "trends", title: "Trends", group: "Product", scope: "read", load: () => import("./pages/trends.js") },
  { path: "funnel", title: "Funnels", group: "Product", scope: "read", load: () => import("./pages/funnel.js") },
  { path: "retention", title: "Retention", group: "Product", scope: "read", load: () => import("./pages/retention.js") },
  { path: "live", title: "Live", group: "Events", scope: "read", load: () => import("./pages/live.js") },
  { path: "events", title: "Events", group: "Events", scope: "read", load: () => import("./pages/events.js") },
  { path: "event", title: "Event", scope: "read", load: () => import("./pages/event.js") },
  { path: "sessions", title: "Sessions", group: "People", scope: "read", load: () => import("./pages/sessions.js") },
  { path: "session-timeline", title: "Session", scope: "read", load: () => import("./pages/session.js") },
  { path: "users", title: "Users", group: "People", scope: "read", load: () => import("./pages/users.js") },
  { path: "user", title: "User", scope: "read", load: () => import("./pages/user.js") },
  { path: "accounts", title: "Accounts", group: "People", scope: "read", load: () => import("./pages/accounts.js") },
  { path: "account", title: "Account", scope: "read", load: () => import("./pages/account.js") },
  { path: "pipeline", title: "Pipeline", group: "Operation", scope: "read", load: () => import("./pages/pipeline.js") },
  { path: "dead-letters", title: "Dead letters", group: "Operation", scope: "admin", load: () => import("./pages/dead_letters.js") },
  { path: "send-event", title: "Send a test event", group: "Operation", scope: "ingest", load: () => import("./pages/send_event.js") },
  { path: "projects", title: "Projects", group: "Administration", scope: "admin", load: () => import("./pages/projects.js") },
  { path: "keys", title: "Keys", group: "Administration", scope: "admin", load: () => import("./pages/keys.js") },
  { path: "schemas", title: "Schemas", group: "Administration", scope: "admin", load: () => import("./pages/schemas.js") },
];
