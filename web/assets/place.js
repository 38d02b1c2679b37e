// Where things are. Everything is found from the address of this file, which is <service>/ui/a/<hash>/place.js, so
// the dashboard works under any prefix that a proxy puts in front of the service.

/** The address of the service, with a slash at the end. */
export const SERVICE = new URL("../../../", import.meta.url);

/** The address of the dashboard, with a slash at the end. */
export const DASHBOARD = new URL("../../", import.meta.url);
