//! The log of events on NATS `JetStream` and what lies beside it, and the only place that knows how it is spoken to.
//!
//! `connection` keeps a link up (who weir is: `credentials`; when it goes to another server: `patience`), `handle` is one stream, `log` the log itself. `ensure`
//! makes it, `publish` writes to it, `reader` follows it, `work` shares it out, `position` (pure) tells whether a
//! remembered place still exists, `survey` what is gone. `declaration` and `findings` say what stream and server must be for the promise
//! to hold, `copies` who has it in a cluster. Beside the log (`side`, followed by `follow`): `kv`, what processes agree on; `retry` and `parked`,
//! events that failed, as an `entry` in the persisted `form`.

mod ack_subject;
mod connection;
mod copies;
mod credentials;
mod declaration;
mod ensure;
mod entry;
mod findings;
mod follow;
mod form;
mod handle;
mod kv;
mod log;
mod message;
mod parked;
mod patience;
pub mod position;
mod publish;
mod pulls;
mod reader;
mod replies;
mod retry;
mod rotation;
mod server;
mod session;
mod side;
mod survey;
mod work;

pub use connection::{ConnectError, Link, Nats, Options as NatsOptions, ServerFacts};
pub use copies::{Copies, Follower, Promise, copies, quorum, unasked};
pub use credentials::{Credentials, Refusal};
pub use declaration::EVENT_SUBJECTS;
pub use ensure::{EnsureError, Identity, NoPlace};
pub use entry::{Entry, EntryId, NoEntryId, Origin};
pub use findings::{Finding, Severity};
pub use form::FormError;
pub use handle::{GetError, LogState};
pub use kv::{Entries as KvEntries, KvStore, KvView, KvWatch};
pub use log::{EventLog, Options as LogOptions};
pub use message::StoredMessage;
pub use parked::{Closed, OpenIds, Parked, ParkedEntry, ParkedFilter, ParkedPage};
pub use position::{Epoch, Mark, Marks};
pub use publish::{Ack, Outcome, Outgoing, RefusedCause, RetryCause};
pub use reader::{Batch, ReadError, Reader};
pub use retry::{Retried, RetryOptions, RetryPage, RetryQueue, backoff, jittered};
pub use server::{MINIMUM_VERSION, Server, SyncPolicy, TooOld};
pub use side::{Bounds as StreamBounds, QueueError};
pub use survey::Gone;
pub use work::{Answers, Delivery, WorkOptions, WorkQueue, WorkState, WorkStream};
