//! What a log does not hold any more is told, with why.

use weir::replay::{Missing, MissingWhy, Range, Request, State, Verb};

use super::ground::{G1, Site};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_or_trimmed_is_missing_with_its_reason() {
    let site = Site::start().await;
    site.publish(6_000).await;
    let range = site.whole().await;
    let stream = site.server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.purge().sequence(101).await.unwrap();
    let erased = [101, 102, 103, 2_500, 6_000];
    for sequence in erased {
        stream.delete_message(sequence).await.unwrap();
    }
    let (events, store) = site.expected(range).await;
    assert_eq!(events, 6_000 - 105);
    let _worker = site.running("one").await;
    let job = site.asked(Request::new(Verb::Replay), G1, range).await;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!((done.tally.scanned(), done.tally.missing), (events, 105));
    let missing = |from, through, why| Missing { from, through, why };
    let trimmed = done.missing.iter().filter(|gap| gap.why == MissingWhy::Trimmed);
    let trimmed: u64 = trimmed.map(|gap| gap.through + 1 - gap.from).sum();
    // A head that is erased is trimmed too: the log begins after it.
    assert_eq!(trimmed, 103);
    assert_eq!(
        done.missing[1..],
        [missing(2_500, 2_500, MissingWhy::Erased), missing(6_000, 6_000, MissingWhy::Erased)]
    );
    assert!(site.same_graph(&store, G1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_another_one_or_lost_its_end_fails_the_job() {
    let site = Site::start().await;
    site.publish(100).await;
    let _worker = site.running("one").await;
    let beyond = Range { from: 1, to: 1_000 };
    let job = site.asked(Request::new(Verb::Replay), G1, beyond).await;
    let failed = site.reaches(&job, State::Failed).await;
    assert!(failed.note.unwrap().contains("lost its end"));
    site.server.jetstream().await.delete_stream("EVENTS").await.unwrap();
    let other = Request::new(Verb::Replay);
    site.log.ensure().await.unwrap();
    let job = site.asked(other, G1, Range { from: 1, to: 101 }).await;
    let failed = site.reaches(&job, State::Failed).await;
    assert!(failed.note.unwrap().contains("another one"));
}
