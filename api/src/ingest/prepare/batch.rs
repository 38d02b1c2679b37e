//! A batch while it is read: the lines of its valid events, and the problems of the others.

use std::borrow::Cow;
use std::thread::Scope;

use rollcall_shared::queue::chunk::FRAME_BYTES;

use super::{Lines, MAX_LISTED_IDS, Prepared};
use crate::error::ApiError;
use crate::event_rules::{Check, MAX_LOCATED, Violations};
use crate::ingest::deliver::compress::Compressor;
use crate::ingest::parse::validate::{Rules, validate};
use crate::ingest::parse::wire::WireEvent;
use crate::problem::{EventPlace, Problem};

/// The answer lists the problems of at most this many invalid events.
const MAX_LISTED_EVENTS: usize = MAX_LOCATED;
/// Lines up to this size share a message with other requests; a larger batch is published in separate chunks.
const MAX_SHARED_BYTES: usize = 64 * 1024;
/// Most last lines of a block need no more.
const ROOM_FOR_ONE_MORE: usize = 1024;

/// A batch while it is read.
pub(super) struct Batch<'r, 'scope, 'env, C> {
    rules: Rules<'r>,
    check: &'r mut C,
    scope: &'scope Scope<'scope, 'env>,
    index: usize,
    /// Lines of valid events that the compressor does not have yet.
    lines: Vec<u8>,
    /// The number of these lines.
    events: u32,
    /// Gets the lines once there are too many to share a message.
    compressor: Option<Compressor<'scope>>,
    prepared: Prepared,
}

impl<'r, 'scope, 'env, C: Check> Batch<'r, 'scope, 'env, C> {
    pub(super) fn new(rules: Rules<'r>, check: &'r mut C, scope: &'scope Scope<'scope, 'env>) -> Self {
        let prepared = Prepared {
            lines: Lines::Few(Vec::new()),
            events: 0,
            event_ids: Vec::new(),
            invalid_events: 0,
            problems: Vec::new(),
            violations: Violations::default(),
        };
        Self { rules, check, scope, index: 0, lines: Vec::new(), events: 0, compressor: None, prepared }
    }

    pub(super) fn take(&mut self, event: Result<WireEvent<'_>, String>) {
        let index = self.index;
        self.index += 1;
        let judged = match event {
            Ok(wire) => validate(&wire, index, self.rules, self.check, &mut self.lines),
            Err(message) => Err(vec![Problem {
                event: Some(EventPlace { index, event_id: None }),
                field: String::new(),
                code: "invalid_json",
                message,
            }]),
        };
        match judged {
            Ok(id) => self.accept(id),
            Err(problems) => {
                self.prepared.invalid_events += 1;
                if self.prepared.invalid_events <= MAX_LISTED_EVENTS {
                    self.prepared.problems.extend(problems);
                }
            }
        }
    }

    fn accept(&mut self, id: Cow<'_, str>) {
        self.prepared.events += 1;
        // One more than the answer lists shows that there are too many.
        if self.prepared.event_ids.len() <= MAX_LISTED_IDS {
            self.prepared.event_ids.push(id.into_owned());
        }
        self.events += 1;
        let enough = if self.compressor.is_some() { FRAME_BYTES } else { MAX_SHARED_BYTES + 1 };
        if self.lines.len() >= enough {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let compressor = self.compressor.get_or_insert_with(|| Compressor::start(self.scope));
        let room = Vec::with_capacity(FRAME_BYTES + ROOM_FOR_ONE_MORE);
        compressor.push(std::mem::replace(&mut self.lines, room), std::mem::take(&mut self.events));
    }

    pub(super) fn finish(mut self) -> Result<Prepared, ApiError> {
        if self.index == 0 {
            return Err(ApiError::EmptyBatch);
        }
        if self.compressor.is_some() && self.events > 0 {
            self.hand_over();
        }
        self.prepared.lines = match self.compressor {
            Some(compressor) => Lines::Chunks(compressor.finish().map_err(ApiError::internal)?),
            None => Lines::Few(self.lines),
        };
        Ok(self.prepared)
    }
}
