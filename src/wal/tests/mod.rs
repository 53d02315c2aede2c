//! Behaviour of the log as a whole, on real files.

mod damage;
mod life;
mod support;
