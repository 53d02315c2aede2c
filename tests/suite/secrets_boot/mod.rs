//! Secrets at boot: fetched by the commands as they are typed, from stand-ins that are strict.

mod aws;
mod commands;
mod keeper;
mod rotation;
mod vault;
