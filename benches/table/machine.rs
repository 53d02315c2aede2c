//! The machine that the figures are of, and what processes use of it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::rounds::Latencies;

const PROBES: usize = 200;
const PROBE_BYTES: usize = 4096;
/// The kernel counts processor time for user space in hundredths of a second.
const TICKS: f64 = 100.0;

/// Says in one line what the figures depend on most: cores, memory, and the disk's sync.
pub fn describe(dir: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model =
        first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory_kib: f64 = first_value("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0.0);
    let disk = fs::create_dir_all(dir)
        .ok()
        .and_then(|()| filesystem(&dir.canonicalize().ok()?))
        .unwrap_or_else(|| "unknown disk".into());
    let sync = sync_latencies(dir).map_or_else(
        |error| format!("cannot be probed: {error}"),
        |times| format!("{:.2} ms, p99 {:.2} ms", times.percentile(50.0), times.percentile(99.0)),
    );
    format!(
        "{cores} cores ({model}), {:.0} GiB, files on {disk}, write and sync of 4 KiB {sync}",
        memory_kib / 1_048_576.0
    )
}

/// Processor time that a process has used so far, in seconds; `None` when it is gone.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// Memory of this process that is in use, in bytes.
pub fn resident_bytes() -> Option<u64> {
    let text = first_value("/proc/self/status", "VmRSS")?;
    let kib: u64 = text.split(' ').next()?.parse().ok()?;
    Some(kib * 1024)
}

fn first_value(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The file system with the longest path above a folder.
fn filesystem(dir: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (device, path, kind) = (words.next()?, words.next()?, words.next()?);
        dir.starts_with(path).then(|| (path.len(), format!("{kind} of {device}")))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, text)| text)
}

fn sync_latencies(dir: &Path) -> std::io::Result<Latencies> {
    let path = dir.join("sync-probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let began = Instant::now();
        file.write_all(&[7; PROBE_BYTES])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(Latencies::new(times))
}
