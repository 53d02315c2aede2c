//! TLS on all sides: weir's own listeners, and the servers it uses.

mod listeners;
mod operators;
mod servers;
