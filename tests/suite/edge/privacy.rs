//! What is kept of whom an event comes from.

use serde_json::{Value, json};

use crate::support::client::{Client, event, text};
use crate::support::weir::{Builder, Weir};
use crate::support::nats::NatsServer;

