//! A ticket: what one request was charged, and its permit among those of its project.
//!
//! The middleware [`announce`] gives each request a ticket, as an extension. Whoever charges the request notes it
//! there, and the middleware adds the fields to the answer, whatever it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use rollcall_shared::project::ProjectId;

use super::at_once::Place;
use super::fields::{self, Reading};
use super::limit::RateLimited;
use super::limiter::Outcome;
use crate::error::ApiError;

/// The ticket of a request. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    project: Option<ProjectId>,
    place: Option<Place>,
    readings: Vec<Reading>,
}

impl Ticket {
    /// The project of the request; `None` if its key is not known.
    pub(crate) fn project(&self) -> Option<ProjectId> {
        self.noted().project
    }

    /// Notes whose request it is.
    pub(in crate::auth) fn belongs_to(&self, project: ProjectId) {
        self.noted().project = Some(project);
    }

    /// Holds the permit until the request is answered.
    pub(in crate::auth) fn hold(&self, place: Place) {
        self.noted().place = Some(place);
    }

    /// Notes the result of a charge.
    ///
    /// # Errors
    /// The limit that refused it.
    pub(in crate::auth) fn note(&self, outcome: Outcome) -> Result<(), RateLimited> {
        let Outcome { readings, refused } = outcome;
        let mut noted = self.noted();
        for reading in readings {
            noted.readings.retain(|earlier| earlier.limit != reading.limit);
            noted.readings.push(reading);
        }
        drop(noted);
        refused.map_or(Ok(()), Err)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that did not pass the middleware gets a ticket that nobody reads.
impl<S: Sync> FromRequestParts<S> for Ticket {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Gives a request its ticket, and tells the client about its limits in the answer.
pub(crate) async fn announce(mut request: Request, next: Next) -> Response {
    let ticket = Ticket::default();
    request.extensions_mut().insert(ticket.clone());
    let mut response = next.run(request).await;
    let mut noted = ticket.noted();
    fields::add(response.headers_mut(), &noted.readings);
    noted.place = None;
    drop(noted);
    response
}
