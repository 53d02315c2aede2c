//! What an event is: ids, times, types, and the JSON that producers send and the log keeps.
//!
//! Pure. A [`Draft`] is what a producer sent, normalised and valid but with gaps; an [`Event`] is
//! what the log holds, with every gap filled. Both come from one parser, so what the gateway
//! accepts and what the projector reads cannot drift apart.

mod cloud_events;
mod convert;
mod draft;
mod fields;
mod foreign;
pub(crate) mod fuzzing;
mod id;
mod issue;
mod json;
mod names;
mod parse;
mod publication;
mod raw;
mod require;
mod several;
mod time;
mod types;
mod upcast;
mod write;

pub use draft::{DEFAULT_SOURCE, Defaults, Draft, Event, Line, ReceivedFrom};
pub use fields::FIELD_NAMES;
pub use foreign::CloudAttributes;
pub use id::{Id, IdError};
pub use issue::{Issue, Issues};
pub use parse::{ParseError, Parser};
pub use publication::{Publication, PublicationError, SUBJECT_PREFIX, event_type_of, subject};
pub use several::Parsed;
pub use time::{EventTime, TimeError, format_ms};
pub use types::{Declared, EventTypes, Kind, TypeError, TypeIndex, TypeSpec, normalise_name};
pub use upcast::{CURRENT_SCHEMA, UpcastError, Upcaster, Upcasters};
pub use write::write_event;
