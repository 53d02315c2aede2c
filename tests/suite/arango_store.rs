//! Writing to ArangoDB: every outcome, and every way in which it can go wrong.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir::graph::{Collection, Key, Put};
use weir::store::{Failure, Remedy, Store, Verdict};

use crate::support::arango_store::{DATABASE, Made};

fn failure(verdict: &Verdict) -> &Failure {
    match verdict {
        Verdict::Failed(failure) => failure,
        held => panic!("{held:?}"),
    }
}

/// The remedy and code of each put that failed; nothing for one that is held.
fn failures(verdicts: &[Verdict]) -> Vec<Option<(Remedy, &str)>> {
    let told = verdicts.iter().map(|verdict| match verdict {
        Verdict::Failed(failure) => Some((failure.remedy, failure.code.as_str())),
        Verdict::Applied | Verdict::Superseded => None,
    });
    told.collect()
}

/// What the server holds of a put, if that is what the put says.
fn holds(made: &Made, put: &Put<'_>) -> bool {
    let name = put.collection.name(&made.types);
    let Some(mut held) = made.server.document(DATABASE, name, &put.key.text()) else {
        return false;
    };
    let held = held.as_object_mut().unwrap();
    let of_server: Vec<Option<Value>> = ["_id", "_rev"].map(|name| held.remove(name)).to_vec();
    let mut said = put.body.to_json();
    said["_key"] = put.key.text().into();
    said["version"] = put.version.0.into();
    of_server.iter().all(Option::is_some) && Value::from(held.clone()) == said
}

#[tokio::test]
async fn puts_are_applied_once_and_superseded_after_that() {
    let made = Made::ready().await;
    let store = made.store();
    let attrs = json!({"title": "Heat \u{2028}\"", "price": -0.0, "big": 9_007_199_254_740_992u64});
    let attrs = attrs.as_object().unwrap();
    let edge = made.edge("purchased", "e1");
    let Key::Edge(key) = edge.key else { panic!("an edge has an edge's key") };
    let puts = [
        Put::bare_user("u"),
        Put::profile(Collection::Items, "i", attrs, 1_717_200_000_000),
        edge,
        made.edge("viewed", "e2"),
    ];
    assert_eq!(store.apply(&puts).await, vec![Verdict::Applied; 4]);
    assert!(puts.iter().all(|put| holds(&made, put)));
    assert_eq!(store.apply(&puts).await, vec![Verdict::Superseded; 4]);

    let tombstone = Put::tombstone(made.type_of("purchased"), key, "u", "i");
    assert_eq!(store.apply(&[tombstone]).await, [Verdict::Applied]);
    assert_eq!(store.apply(&[Put::bare_item("i"), edge]).await, vec![Verdict::Superseded; 2]);
    assert!(holds(&made, &tombstone) && holds(&made, &puts[1]));
    assert_eq!(store.apply(&[]).await, []);
}

#[tokio::test]
async fn each_collection_is_one_request_and_vertices_stand_before_edges() {
    let made = Made::ready().await;
    let store = made.store();
    let ids: Vec<String> = (0..100).map(|n| format!("e{n}")).collect();
    let edges = ids.iter().enumerate().map(|(n, id)| made.edge(["viewed", "liked"][n % 2], id));
    let puts: Vec<Put<'_>> = edges.chain([Put::bare_user("u"), Put::bare_item("i")]).collect();
    let verdicts = store.apply(&puts).await;
    assert_eq!(verdicts, vec![Verdict::Applied; 102]);
    let mut written = made.written();
    assert_eq!(written.len(), 4, "{written:?}");
    written[..2].sort();
    written[2..].sort();
    assert_eq!(written, ["items", "users", "liked", "viewed"]);
    for seen in made.server.requests() {
        let params: Vec<String> =
            seen.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for expected in [
            "overwriteMode=replace",
            "versionAttribute=version",
            "waitForSync=true",
            "keepNull=true",
        ] {
            assert!(
                seen.method != "POST"
                    || !seen.path.contains("document")
                    || params.iter().any(|param| param == expected),
                "{params:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_vertex_that_is_known_is_not_written_again_until_it_is_forgotten() {
    let made = Made::ready().await;
    let store = made.store();
    let puts = [Put::bare_user("u"), Put::bare_item("i"), made.edge("viewed", "e1")];
    store.apply(&puts).await;
    made.server.forget_requests();
    assert_eq!(store.clone().apply(&puts).await, vec![Verdict::Superseded; 3]);
    assert_eq!(made.written(), ["viewed"]);
    store.forget_known();
    made.server.forget_requests();
    store.apply(&puts).await;
    assert_eq!(made.written().len(), 3);

    // A vertex that failed is not known.
    made.server.fault("full").collection("users").elements(1620);
    assert_eq!(
        failures(&store.apply(&[Put::bare_user("v")]).await),
        [Some((Remedy::Park, "arango_1620"))]
    );
    made.server.clear_fault("full");
    assert_eq!(store.apply(&[Put::bare_user("v")]).await, [Verdict::Applied]);
}

#[tokio::test]
async fn vertices_are_written_again_after_a_collection_or_the_database_was_gone() {
    let made = Made::ready().await;
    let store = made.store();
    let puts = [Put::bare_user("u"), Put::bare_item("i"), made.edge("viewed", "e1")];
    for number in [1203, 1228] {
        store.apply(&puts).await;
        made.server.fault("gone").collection("viewed").elements(number);
        assert!(matches!(&store.apply(&puts).await[2], Verdict::Failed(_)));
        made.server.clear_fault("gone");
        made.server.forget_requests();
        store.apply(&puts).await;
        assert_eq!(made.written().len(), 3, "users and items were made anew with it, perhaps");
    }
}

#[tokio::test]
async fn each_element_of_an_answer_is_judged_by_itself() {
    let made = Made::ready().await;
    let puts: Vec<Put<'_>> = ["a", "b", "c", "d", "e"].map(|id| made.edge("viewed", id)).to_vec();
    for (number, put) in [1620, 1203, 1465, 4711].into_iter().zip(&puts) {
        let key = put.key.text().into_owned();
        made.server
            .fault(&number.to_string())
            .elements_if(number, move |_, document| document["_key"] == key);
    }
    let verdicts = made.store().apply(&puts).await;
    let expected = [
        Some((Remedy::Park, "arango_1620")),
        Some((Remedy::Stop, "arango_1203")),
        Some((Remedy::BackOff, "arango_1465")),
        Some((Remedy::BackOff, "arango_4711")),
        None,
    ];
    assert_eq!(failures(&verdicts), expected);
    assert_eq!(verdicts[4], Verdict::Applied);
    assert_eq!(made.server.count(DATABASE, "viewed"), 1);
}

#[tokio::test]
async fn a_conflict_passes_after_a_few_attempts_and_is_told_if_it_stays() {
    let made = Made::ready().await;
    let puts = [made.edge("viewed", "a"), made.edge("viewed", "b")];
    made.server.fault("conflict").times(3).elements(1200);
    assert_eq!(made.store().apply(&puts).await, vec![Verdict::Applied; 2]);
    assert_eq!(made.server.struck("conflict"), 3);

    made.server.clear_faults();
    let key = puts[0].key.text().into_owned();
    made.server.fault("hot").elements_if(1200, move |_, document| document["_key"] == key);
    let verdicts = made.store().apply(&puts).await;
    assert_eq!(failures(&verdicts), [Some((Remedy::Retry, "arango_1200")), None]);
}

#[tokio::test]
async fn what_is_too_much_at_once_is_halved() {
    let made = Made::ready().await;
    let ids: Vec<String> = (0..64).map(|n| format!("e{n}")).collect();
    let puts: Vec<Put<'_>> = ids.iter().map(|id| made.edge("viewed", id)).collect();
    made.server.fault("proxy").writes().times(3).error(413, 413, "too large");
    assert_eq!(made.store().apply(&puts).await, vec![Verdict::Applied; 64]);
    let bytes: Vec<usize> = made
        .server
        .requests()
        .iter()
        .filter(|seen| seen.status == 202 || seen.status == 201)
        .map(|seen| seen.bytes)
        .collect();
    assert!(bytes.len() > 2, "{bytes:?}");

    made.server.fault("memory").times(100).elements(32);
    assert_eq!(made.store().apply(&puts).await, vec![Verdict::Superseded; 64]);
    made.server.clear_faults();
    made.server.fault("no memory").elements(32);
    let verdicts = made.store().apply(&puts[..3]).await;
    assert_eq!(failures(&verdicts), vec![Some((Remedy::BackOff, "arango_32")); 3]);
}

#[tokio::test]
async fn overload_with_and_without_json_halves_the_window_and_fails_for_now() {
    let made = Made::ready().await;
    let store = made.store();
    let put = [made.edge("viewed", "a")];
    for n in 0..40 {
        assert!(store.apply(&[made.edge("liked", &format!("warm{n}"))]).await[0].holds());
    }
    let before = made.arango.window();
    made.server.fault("proxy").writes().times(1).unavailable_without_json();
    assert_eq!(failures(&store.apply(&put).await), [Some((Remedy::BackOff, "http_503"))]);
    assert_eq!(made.arango.window(), before / 2);
    made.server.fault("queue").writes().times(1).queue_full();
    assert_eq!(failures(&store.apply(&put).await), [Some((Remedy::BackOff, "arango_21003"))]);
    made.server.fault("slow queue").writes().times(1).queue_too_slow();
    assert_eq!(failures(&store.apply(&put).await), [Some((Remedy::BackOff, "arango_21004"))]);
    assert_eq!(made.arango.window(), 1);
    made.server.fault("starts").writes().times(1).unavailable();
    assert_eq!(failures(&store.apply(&put).await), [Some((Remedy::BackOff, "arango_38"))]);
    assert_eq!(store.apply(&put).await, [Verdict::Applied]);
}

#[tokio::test]
async fn a_long_queue_at_the_server_narrows_the_window_and_an_endless_one_is_refused() {
    let made = Made::ready().await;
    let store = made.store();
    let before = made.arango.window();
    made.server.set_queue_time(Duration::from_secs(1));
    assert!(store.apply(&[made.edge("viewed", "a")]).await[0].holds());
    assert_eq!(made.arango.window(), before / 2);
    // Half of the deadline of ten seconds may be spent there.
    made.server.set_queue_time(Duration::from_secs(6));
    let verdicts = store.apply(&[made.edge("viewed", "b")]).await;
    assert_eq!(failures(&verdicts), [Some((Remedy::BackOff, "arango_21004"))]);
}

#[tokio::test]
async fn many_writes_at_once_keep_to_the_window() {
    let made = Made::ready().await;
    made.server.fault("slow").writes().slow(Duration::from_millis(20));
    let store = made.store();
    let ids: Vec<String> = (0..60).map(|n| format!("e{n}")).collect();
    let applying = ids.iter().map(|id| {
        let (store, put) = (store.clone(), made.edge("viewed", id));
        async move { store.apply(&[put]).await }
    });
    let verdicts = futures_util::future::join_all(applying).await;
    assert!(verdicts.iter().flatten().all(|verdict| *verdict == Verdict::Applied));
    let most = made.server.most_in_flight();
    assert!((2..=16).contains(&most), "{most}");
}

#[tokio::test]
async fn a_slow_server_is_given_up_at_the_deadline_and_its_work_counts() {
    let made = Made::ready_within(Duration::from_millis(300)).await;
    let store = made.store();
    let put = [made.edge("viewed", "a")];
    made.server.fault("slow").writes().slow(Duration::from_secs(30));
    let began = Instant::now();
    assert_eq!(failures(&store.apply(&put).await), [Some((Remedy::BackOff, "timeout"))]);
    assert!(began.elapsed() < Duration::from_secs(5));
    made.server.clear_faults();
    assert_eq!(store.apply(&put).await, [Verdict::Superseded]);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_tried_again_whether_the_write_was_applied_or_not() {
    let made = Made::ready().await;
    made.server.fault("before").writes().once().cut_before();
    assert!(made.store().apply(&[made.edge("viewed", "a")]).await[0].holds());
    made.server.fault("after").writes().once().cut_after_write();
    assert_eq!(made.store().apply(&[made.edge("viewed", "b")]).await, [Verdict::Superseded]);
    assert_eq!(made.server.count(DATABASE, "viewed"), 2);
    made.server.fault("always").writes().cut_after_write();
    let verdicts = made.store().apply(&[made.edge("viewed", "c")]).await;
    assert_eq!(failures(&verdicts), [Some((Remedy::Retry, "connection_cut"))]);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_believed_in_nothing() {
    let made = Made::ready().await;
    let puts = [made.edge("viewed", "a"), made.edge("viewed", "b")];
    made.server.fault("short").writes().once().too_short();
    let expected = vec![Some((Remedy::BackOff, "answer_shape")); 2];
    assert_eq!(failures(&made.store().apply(&puts).await), expected);
    made.server.fault("no json").writes().once().no_json();
    assert_eq!(failures(&made.store().apply(&puts).await), expected);
    assert_eq!(made.store().apply(&puts).await, vec![Verdict::Superseded; 2]);
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_a_changed_password_is_read_again() {
    let made = Made::ready().await;
    let store = made.store();
    assert_eq!(made.server.tokens_given(), 1);
    made.server.expire_tokens();
    let ids: Vec<String> = (0..10).map(|n| format!("e{n}")).collect();
    let applying = ids.iter().map(|id| {
        let (store, put) = (store.clone(), made.edge("viewed", id));
        async move { store.apply(&[put]).await }
    });
    let verdicts = futures_util::future::join_all(applying).await;
    assert!(verdicts.iter().flatten().all(Verdict::holds), "{verdicts:?}");
    assert_eq!(made.server.tokens_given(), 2, "one request fetches it for all");

    made.server.set_password("an0ther-password");
    made.server.expire_tokens();
    let verdicts = store.apply(&[made.edge("viewed", "x")]).await;
    let refused = failure(&verdicts[0]);
    assert_eq!(refused.remedy, Remedy::Stop, "{refused}");
    assert!(refused.text.contains("check the user and its password"), "{refused}");
    assert!(!refused.text.contains("stand-in") && !refused.text.contains("an0ther"), "{refused}");

    made.change_password_file("an0ther-password");
    assert!(store.apply(&[made.edge("viewed", "x")]).await[0].holds());
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let made = Made::empty();
    made.server.set_token_life(Duration::from_secs(1));
    made.arango.server().await.unwrap();
    crate::support::eventually("a second token", Duration::from_secs(5), async || {
        let facts = made.arango.server().await.unwrap();
        (made.server.tokens_given() > 1).then_some(facts)
    })
    .await;
    // The version is told without a token being refused: none was sent that had ended.
    assert!(made.server.requests().iter().all(|seen| seen.status == 200));
}

#[tokio::test]
async fn a_server_that_is_away_or_too_old_is_told_as_such() {
    let made = Made::ready().await;
    made.server.set_version("3.11.14");
    let old = made.arango.server().await.unwrap_err();
    assert_eq!((old.remedy, old.code.as_str()), (Remedy::Stop, "arango_too_old"));
    made.server.set_version("3.12.7-2");
    assert_eq!(made.arango.server().await.unwrap().version, "3.12.7-2");
    made.server.stop();
    let puts = [made.edge("viewed", "a")];
    let verdicts = made.store().apply(&puts).await;
    let away = failure(&verdicts[0]);
    assert!(matches!(away.remedy, Remedy::BackOff | Remedy::Retry), "{away}");
    made.server.start_again();
    assert_eq!(made.store().apply(&puts).await, [Verdict::Applied]);
}

#[tokio::test]
async fn a_scan_tells_every_document_as_it_was_put() {
    let made = Made::ready().await;
    let store = made.store();
    let ids: Vec<String> = (0..2_300).map(|n| format!("e{n}")).collect();
    let mut puts: Vec<Put<'_>> = vec![Put::bare_user("u:1"), Put::bare_item("i")];
    puts.extend(ids.iter().map(|id| made.edge("viewed", id)));
    assert!(store.apply(&puts).await.iter().all(|verdict| *verdict == Verdict::Applied));
    let mut found = std::collections::BTreeMap::new();
    store
        .scan(&mut |document| {
            let place = (document.collection.clone(), document.key.clone());
            assert!(found.insert(place, document).is_none(), "told once");
        })
        .await
        .unwrap();
    assert_eq!(found.len(), puts.len());
    for put in &puts {
        let place = (put.collection.name(&made.types).to_owned(), put.key.text().into_owned());
        let document = &found[&place];
        assert_eq!((document.version, &document.body), (put.version, &put.body.to_json()));
    }
}

#[tokio::test]
async fn a_query_is_read_to_its_last_batch_and_a_cursor_that_is_lost_is_left() {
    const ALL: &str = "FOR d IN @@collection SORT d._key LIMIT @limit RETURN d";
    let made = Made::ready().await;
    let ids: Vec<String> = (0..2_300).map(|n| format!("e{n}")).collect();
    let puts: Vec<Put<'_>> = ids.iter().map(|id| made.edge("viewed", id)).collect();
    made.store().apply(&puts).await;
    let database = made.database();
    let binds = json!({ "@collection": "viewed", "limit": 2_200 });
    let rows: Vec<Value> = database.query(ALL, binds.clone()).await.unwrap();
    assert_eq!(rows.len(), 2_200);

    made.server.forget_requests();
    made.server.fault("killed").path("/_api/cursor/").once().error(410, 1500, "query killed");
    let killed = database.query::<Value>(ALL, binds.clone()).await.unwrap_err();
    assert_eq!((killed.remedy, killed.code.as_str()), (Remedy::Retry, "arango_1500"));
    assert!(made.server.requests().iter().any(|seen| seen.method == "DELETE"), "it was left");

    let missing =
        database.query::<Value>(ALL, json!({ "@collection": "nothing", "limit": 1 })).await;
    assert_eq!(missing.unwrap_err().remedy, Remedy::Stop);
    let shape = database.query::<u64>(ALL, binds).await.unwrap_err();
    assert_eq!(shape.code, "answer_shape");
}

#[tokio::test]
async fn reads_have_places_of_their_own_beside_a_flood_of_writes() {
    let made = Made::ready().await;
    let store = made.store();
    store.apply(&[Put::bare_user("u")]).await;
    made.server.fault("stuck").writes().slow(Duration::from_secs(30));
    let writing: Vec<_> = (0..40)
        .map(|n| {
            let (store, types) = (store.clone(), made.types.clone());
            tokio::spawn(async move {
                let id = format!("w{n}");
                let _ = types;
                store.apply(&[Put::bare_item(&id)]).await
            })
        })
        .collect();
    crate::support::eventually("writes in flight", Duration::from_secs(5), async || {
        (made.server.in_flight() >= made.arango.window()).then_some(())
    })
    .await;
    let began = Instant::now();
    let mut seen = 0;
    store.scan(&mut |_| seen += 1).await.unwrap();
    assert!(seen >= 1 && began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    writing.into_iter().for_each(|task| task.abort());
}
