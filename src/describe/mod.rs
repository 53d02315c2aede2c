//! What the service says of itself: OpenAPI 3.1 for its routes, AsyncAPI 3.0 for its subjects.
//!
//! Pure: whoever serves a route describes it beside its code with an [`Operation`], whose schemas come from
//! the very types that are written; a document is put together from those, and from the table of fields.

mod asyncapi;
mod codes;
mod components;
mod event;
mod examples;
mod openapi;
mod operation;

pub use asyncapi::{Subjects, asyncapi};
pub use codes::{EVENT_CODES, PARAMETER_CODES};
pub use components::{Components, Schema, one_of};
pub use event::{ID_PATTERN, put_event_schemas};
pub use examples::Example;
pub use openapi::Document;
pub use operation::{Answer, Code, Entry, Operation, Parameter};
