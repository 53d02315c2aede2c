//! What is told to systemd, as sd_notify(3) writes it. Pure.

use std::time::Duration;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The duty can be done.
    Ready,
    /// The end has begun.
    Stopping,
    /// A sign of life.
    Watchdog,
    /// The start, or the end, may take so much longer from now on.
    Extend(Duration),
    /// One line for people.
    Status(String),
}

impl News {
    fn line(&self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Watchdog => "WATCHDOG=1".to_owned(),
            Self::Extend(time) => format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()),
            Self::Status(text) => format!("STATUS={}", text.replace(char::is_control, " ")),
        }
    }
}

/// Returns the datagram of some news: a line each, and no text can add one.
pub(super) fn datagram(news: &[News]) -> String {
    news.iter().map(|one| one.line() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_line_as_systemd_reads_it() {
        let news = [
            News::Ready,
            News::Watchdog,
            News::Extend(Duration::from_secs(30)),
            News::Stopping,
            News::Status("ready".to_owned()),
        ];
        assert_eq!(
            datagram(&news),
            "READY=1\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000\nSTOPPING=1\nSTATUS=ready\n"
        );
    }

    #[test]
    fn a_status_cannot_tell_anything_else() {
        let text = datagram(&[News::Status("broken\nREADY=1\r".to_owned())]);
        assert_eq!(text, "STATUS=broken READY=1 \n");
    }
}
