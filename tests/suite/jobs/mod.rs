//! Jobs in real processes: rebuilt, promoted, rolled back, paused and killed while events flow.

mod chaos;
mod control;
mod fixed;
mod jump;
mod killed;
mod retired;
