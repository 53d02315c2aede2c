//! AWS: who we are there (keys and their places), signed requests, and Secrets Manager.

mod answer;
mod identity;
mod imds;
mod keys;
mod manager;
mod origin;
mod signature;
mod sts;

pub(super) use answer::field_of;
pub(super) use identity::Identity;
pub(super) use manager::{AwsSecret, Manager};
pub(super) use sts::caller_identity;
