//! Whether a user agent says that no person is behind it. Pure.
//!
//! A flag, not a verdict: the event is kept, marked, and whoever reads the log may leave it out. What
//! pretends to be a browser is not found here.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// Words that crawlers, monitors and driven browsers have in their user agents. Libraries are not among
/// them: a shop's server sends on behalf of people.
const WORDS: [&str; 19] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "scraper",
    "headless",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "webdriver",
    "lighthouse",
    "pingdom",
    "uptime",
    "facebookexternalhit",
    "preview",
    "feedfetcher",
    "mediapartners",
    "archiver",
];

/// Makers of phones whose name holds one of these words.
const PHONES: [&str; 1] = ["cubot"];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = PHONES.iter().chain(&WORDS);
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .build(words)
        .expect("a few short words")
});

/// Tells whether a user agent names a program that acts by itself.
pub(super) fn is_bot(user_agent: &[u8]) -> bool {
    FINDER.find_iter(user_agent).any(|found| found.pattern().as_usize() >= PHONES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_and_tools_are_told_from_browsers() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0",
            "SomeMonitor/1.0 (UptimeRobot)",
            "Baiduspider",
        ] {
            assert!(is_bot(agent.as_bytes()), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:120.0) Gecko/20100101 Firefox/120.0",
            "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Mobile Safari/537.36",
            "okhttp/4.12.0",
            "python-requests/2.31.0",
            "",
        ] {
            assert!(!is_bot(agent.as_bytes()), "{agent}");
        }
    }
}
