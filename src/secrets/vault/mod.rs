//! HashiCorp Vault: a login (AppRole or AWS IAM), a token that is renewed, and entries of KV version 2.

mod answer;
mod lease;
mod session;

pub(super) use session::{Vault, VaultSecret};
