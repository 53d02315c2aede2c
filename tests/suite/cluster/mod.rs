//! Three real servers with three copies of everything: what may happen to them while events flow and a rebuild runs.
//!
//! Each of these prints a row of the table in `docs/reliability.md` (`--nocapture`).

mod configuration;
mod copies;
mod disk;
mod leader;
mod minority;
mod rolling;
mod scene;
