//! The one binary; every role is a command of it.

use std::process::ExitCode;

/// Small allocations by several threads are most of what an event costs in memory: a tenth of the CPU less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    weir::cli::run()
}
