//! The commands that look into the write-ahead log of a process that does not run.

use std::io::Write;

use anyhow::Context;
use bytes::Bytes;

use super::options::Layout;
use crate::config::Settings;
use crate::event::Publication;
use crate::wal;

/// Tells the log's state from its marks and sizes.
pub fn wal_status(settings: &Settings) -> anyhow::Result<wal::Status> {
    Ok(wal::inspect(&Layout::new(settings).wal())?)
}

/// Reads every record and checks it, telling how far it is.
pub fn verify(
    settings: &Settings,
    progress: impl FnMut(wal::VerifyProgress),
) -> anyhow::Result<wal::VerifyReport> {
    Ok(wal::verify(&Layout::new(settings).wal(), progress)?)
}

/// Writes every event from `from` on as one JSON a line: WAL sequence, subject, message id, event.
pub fn export(
    settings: &Settings,
    from: u64,
    out: impl Write,
) -> anyhow::Result<wal::ExportReport> {
    let mut out = std::io::BufWriter::new(out);
    let report = wal::export(&Layout::new(settings).wal(), from, |sequence, entry| {
        write_line(&mut out, sequence, &entry)
    })?;
    out.flush().context("cannot write the events")?;
    Ok(report)
}

fn write_line(out: &mut impl Write, sequence: u64, entry: &Bytes) -> std::io::Result<()> {
    match Publication::decode(entry) {
        Ok(publication) => {
            write!(
                out,
                "{{\"sequence\":{sequence},\"subject\":\"{}\",\"messageId\":",
                publication.subject()
            )?;
            serde_json::to_writer(&mut *out, &publication.message_id)?;
            out.write_all(b",\"event\":")?;
            out.write_all(&publication.payload)?;
            out.write_all(b"}\n")
        }
        Err(error) => {
            write!(out, "{{\"sequence\":{sequence},\"undecodable\":")?;
            serde_json::to_writer(&mut *out, &error.to_string())?;
            out.write_all(b"}\n")
        }
    }
}
