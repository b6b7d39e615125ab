//! The `transom` binary.

use std::process::ExitCode;

/// A reload builds a second schema beside the first. The C library keeps for good what that takes; this gives it
/// back within seconds (docs/decisions/0053).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    transom::cli::run()
}
