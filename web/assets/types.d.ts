// The shapes of the API's answers, as the OpenAPI document describes them.

/** What POST and GET /ui/session answer. */
export interface Session {
  project: string;
  /** IANA name of the project's time zone. */
  time_zone: string;
  /** All scopes that the key has; admin implies the others, which are listed too. */
  scopes: ("ingest" | "read" | "admin")[];
  /** Whether it is the key of the installation, which governs all projects. */
  installation: boolean;
  expires_at: string;
}

/** An entry of `errors` in an error answer. */
export interface FieldError {
  event?: { index: number; event_id: string | null };
  field: string;
  code: string;
  message: string;
}

export interface Page<Row> {
  data: Row[];
  next_cursor: string | null;
}

export interface Dau {
  data: { date: string; unique_users: number }[];
  granularity: "day" | "week" | "month";
}

export interface TopEvents {
  data: { event_type: string; count: number }[];
}

export interface Cohort {
  cohort_date: string;
  users_count: number;
  retention_windows: number[];
  retained_users: number[];
  complete: boolean[];
}

export interface Retention {
  data: Cohort[];
  window_type: "day" | "week" | "month";
}

export interface Series {
  event_type: string | null;
  value: string | null;
  total: number;
  points: { at: string; value: number }[];
}

export interface Trends {
  data: Series[];
  metric: "events" | "users";
  interval: "hour" | "day" | "week" | "month";
  as_of: string;
}

export interface FunnelStep {
  step: string;
  users: number;
  percent_of_first: number;
  percent_of_previous: number;
  median_seconds: number | null;
}

export interface Funnel {
  /** Steps; with a breakdown, the steps of each value. */
  data: FunnelStep[] | { value: string | null; steps: FunnelStep[] }[];
  within_seconds: number;
  complete: boolean;
  as_of: string;
}

export interface Event {
  event_id: string;
  event_type: string;
  user_id: string | null;
  anonymous_id: string | null;
  session_id: string | null;
  account_id: string | null;
  occurred_at: string;
  received_at: string;
  properties: Record<string, unknown>;
}

export interface User {
  user_id: string;
  first_seen: string;
  last_seen: string;
}

export interface UserSummary extends User {
  events: number;
  days_active: number;
  sessions: number;
}

export interface SessionRow {
  session_id: string;
  user_id: string | null;
  started_at: string;
  last_event_at: string;
  events: number;
}

export interface AccountSummary {
  account_id: string;
  window: string | null;
  totals: Record<string, number>;
  top_users: { user_id: string; events: number }[];
}

export interface EventType {
  event_type: string;
  events: number;
  users: number;
  first_day: string | null;
  last_day: string | null;
}

export interface Property {
  property: string;
  types: string[];
  share: number;
  values: { value: unknown; count: number }[];
}

export interface WorkerError {
  worker_id: string;
  at: string | null;
  message: string | null;
}

export interface Pipeline {
  stream: { messages: number; bytes: number | null; max_bytes: number | null; oldest_unstored_age_seconds: number | null } | null;
  consumers: { name: string; pending: number; in_flight: number; redelivered: number }[] | null;
  dead_letters: { count: number | null; bytes?: number | null } | null;
  events_stored_per_second: number | null;
  workers: { worker_id: string; started_at: string; reported_at: string; events_stored: number; events_per_second: number; last_error: WorkerError | null }[] | null;
  last_error: WorkerError | null;
  archive: { archived_until: string | null; days: number; rows: number; bytes: number; dropped_days: number } | null;
  dependencies: Record<string, string>;
}

export interface DeadLetter {
  id: string;
  kind: string;
  code: string;
  reason: string;
  event_id: string | null;
  event_type: string | null;
  events_count: number;
  attempts: number;
  redrives: number;
  first_seen: string;
  failed_at: string;
  origin: { stream: string; sequence: number };
  request_ids: string[];
}

export interface Project {
  name: string;
  time_zone: string;
  retention_days: number | null;
  limits: { requests_per_second: number | null; events_per_second: number | null; max_event_types: number | null };
  created_at: string;
}

export interface Key {
  key_id: number;
  project: string;
  name: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
  replaces: number | null;
  limits: { requests_per_second: number | null; events_per_second: number | null };
}

export interface AuditLogEntry {
  id: number;
  at: string;
  /** Null for the key of the installation. */
  by_key_id: number | null;
  request_id: string;
  action: string;
  project: string;
  key_id: number | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

export interface EventSchema {
  event_type: string;
  mode: "warn" | "reject";
  schema_bytes: number;
  changed_at: string;
  /** Events that did not match since the schema or the mode were changed. */
  violations: number;
  last_violation_at: string | null;
  /** Some of the latest, newest first. */
  samples: { at: string; event_id: string; path: string; message: string }[];
}
