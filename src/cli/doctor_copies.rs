//! What `weir doctor` tells of a cluster: each stream's copies, and what an acknowledgement is worth.

use crate::stream::{Copies, Follower, Promise};

/// One line for the promise, and one for each stream that has copies; nothing is said of a server alone but the
/// promise.
pub(super) fn copies_text(copies: &[Copies], promise: Option<&Promise>) -> String {
    let mut text = String::new();
    if let Some(promise) = promise {
        text.push_str(&format!("promise     {}\n", promise_text(promise)));
    }
    for one in copies.iter().filter(|one| one.clustered) {
        text.push_str(&format!("{:<13}{}\n", one.stream, line(one)));
    }
    text
}

fn promise_text(promise: &Promise) -> String {
    let Promise { holds, disks, replicas, spare } = promise;
    let place = match replicas {
        0 | 1 => "the one disk there is".to_owned(),
        _ => format!("{disks} of {replicas} disks"),
    };
    let spare = match (replicas, spare) {
        (0 | 1, _) => String::new(),
        (_, 0) => "; one more loss stops the log".to_owned(),
        (_, spare) => format!("; {spare} of them may be lost without a stop"),
    };
    match holds {
        Some(true) => format!("holds: what is acknowledged is synced on {place}{spare}"),
        Some(false) => format!(
            "does NOT hold: what is acknowledged is on {place}, not synced, and a power failure can take it{spare}"
        ),
        None => format!(
            "not known: what is acknowledged is on {place}, and not every server says if it syncs{spare}"
        ),
    }
}

fn line(copies: &Copies) -> String {
    if copies.replicas == 0 {
        return "NO ANSWER: it has no leader".to_owned();
    }
    let leader = copies.leader.as_deref().unwrap_or("NONE");
    let followers: Vec<_> = copies.followers.iter().map(follower).collect();
    let count =
        if copies.replicas == 1 { "1 copy" } else { &format!("{} copies", copies.replicas) };
    [format!("{count}, leader {leader}")]
        .into_iter()
        .chain(followers)
        .collect::<Vec<_>>()
        .join(", ")
}

fn follower(one: &Follower) -> String {
    let Follower { server, current, offline, behind, silent_ms } = one;
    match (offline, current) {
        (true, _) => format!("{server} OFFLINE for {} s", silent_ms / 1_000),
        (false, true) => format!("{server} current"),
        (false, false) => format!("{server} {behind} behind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(server: &str, current: bool, offline: bool) -> Follower {
        Follower { server: server.into(), current, offline, behind: 42, silent_ms: 12_345 }
    }

    #[test]
    fn each_copy_and_what_it_is_worth_is_a_line() {
        let copies = |stream: &str, replicas, leader: Option<&str>, followers| Copies {
            stream: stream.into(),
            replicas,
            clustered: true,
            leader: leader.map(str::to_owned),
            followers,
        };
        let all = [
            copies(
                "EVENTS",
                3,
                Some("n1"),
                vec![follower("n2", true, false), follower("n3", false, false)],
            ),
            copies(
                "RETRY",
                3,
                None,
                vec![follower("n2", true, false), follower("n3", false, true)],
            ),
            copies("KV_WEIR_JOBS", 1, Some("n2"), Vec::new()),
            copies("KV_WEIR", 0, None, Vec::new()),
        ];
        let promise = |holds, replicas, spare| Promise { holds, disks: 2, replicas, spare };
        let texts = [
            copies_text(&all, Some(&promise(Some(true), 3, 1))),
            copies_text(&[], Some(&promise(Some(false), 3, 0))),
            copies_text(&[], Some(&promise(None, 3, 1))),
            copies_text(&[], Some(&promise(Some(true), 1, 0))),
        ];
        insta::assert_snapshot!(texts.join("----\n"));
    }
}
