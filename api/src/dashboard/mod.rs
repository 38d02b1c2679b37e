//! The dashboard: the web application of the crate `web`, and the session of whoever uses it.
//!
//! The application calls the same paths as every other client. Only signing in is its own, because a browser keeps a
//! cookie better than a key.

mod session;

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

/// The application, and the path of its session.
pub(crate) fn router() -> Router<AppState> {
    let session = get(session::show).post(session::sign_in).delete(session::sign_out);
    Router::new().route("/ui/session", session).merge(rollcall_web::router())
}
