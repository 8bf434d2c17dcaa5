//! PROTOCOL.md, promises 1, 4 and 5: one order without gaps, a resume from anywhere that says what
//! it can't give, and no race between what is replayed and what is live.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::native::seq;
use crate::support::postgres::fresh_database;
use crate::support::psql::psql;
use crate::support::{Follower, Native, Server, Setup, eventually};

/// Sends this many messages of this length, all in flight as far as the server takes them.
async fn flood(socket: &mut Native, room: &str, number: usize, len: usize) {
    let padding = "x".repeat(len);
    let mut answered = 0;
    for n in 0..number {
        let message = format!("{n} {padding}");
        socket.send(json!({"type": "send", "room": room, "message": message, "ref": "f"})).await;
        // Twenty are in flight; more would only wait in the network.
        if n >= 20 {
            socket.next_of("ok").await;
            answered += 1;
        }
    }
    while answered < number {
        socket.next_of("ok").await;
        answered += 1;
    }
}

fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().map(seq).collect()
}

/// What `history` gives after this event, page by page, up to the head.
async fn all_after(socket: &mut Native, room: &str, mut after: i64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = socket.ask(json!({"type": "history", "room": room, "after": after})).await;
        let events = page["events"].as_array().expect("events");
        all.extend(events.iter().cloned());
        after = all.last().map_or(after, seq);
        if page["more"] != true {
            return all;
        }
    }
}

on_both_engines! {
    async fn fresh_replays_nothing(setup: Setup) {
        let server = setup.start().await;
        let mut first = server.native_guest().await;
        let entry = first.join("open").await;
        assert_eq!(entry.joined["verdict"], "fresh");
        assert_eq!(entry.joined["kind"], "named");
        assert_eq!(entry.joined["name"], "open");
        assert_eq!((entry.seq(), &entry.joined["to"]), (0, &json!(0)));
        for n in 1..=3 {
            first.say("open", &n.to_string()).await;
        }
        let mut second = server.native_guest().await;
        let entry = second.join("open").await;
        assert_eq!(entry.joined["verdict"], "fresh");
        assert_eq!((entry.seq(), &entry.joined["to"]), (3, &json!(3)));
        assert_eq!(entry.joined["more"], false);
        assert!(entry.replay.is_empty());
        first.say("open", "live").await;
        assert_eq!(seq(&second.next_durable().await), 4, "live begins at seq + 1");
    }

    async fn full_replays_what_was_missed_and_then_goes_on_live(setup: Setup) {
        let server = setup.start().await;
        let mut talker = server.native_guest().await;
        talker.join("open").await;
        let mut reader = server.native_guest().await;
        let epoch = reader.join("open").await.epoch().to_owned();
        for n in 1..=10 {
            talker.say("open", &n.to_string()).await;
        }
        let mut live = Vec::new();
        for _ in 0..10 {
            live.push(reader.next_durable().await);
        }
        for after in [0, 4, 9, 10] {
            let mut again = server.native_guest().await;
            let entry = again.join_after("open", after, &epoch).await;
            assert_eq!(entry.joined["verdict"], "full");
            assert_eq!((&entry.joined["to"], &entry.joined["more"]), (&json!(10), &json!(false)));
            assert_eq!(seqs(&entry.replay), (after + 1..=10).collect::<Vec<_>>());
            if after < 10 {
                assert_eq!(entry.joined["from"], after + 1);
            }
            for event in &entry.replay {
                let place = usize::try_from(seq(event) - 1).expect("a seq");
                for key in ["id", "message", "chat_id", "sender", "created_at"] {
                    assert_eq!(event[key], live[place][key], "the same frame as live");
                }
            }
        }
        let mut again = server.native_guest().await;
        again.join_after("open", 3, &epoch).await;
        let said = talker.say("open", "live").await;
        assert_eq!(again.next_durable().await["seq"], said["seq"], "and nothing between");
    }

    async fn a_resume_replays_500_at_most_and_history_the_rest(setup: Setup) {
        let server = setup.start().await;
        let mut talker = server.native_guest().await;
        let epoch = talker.join("open").await.epoch().to_owned();
        flood(&mut talker, "open", 1_203, 10).await;
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", 1, &epoch).await;
        assert_eq!((&entry.joined["verdict"], entry.seq()), (&json!("full"), 1_203));
        assert_eq!((&entry.joined["from"], &entry.joined["to"]), (&json!(2), &json!(501)));
        assert_eq!(entry.joined["more"], true);
        assert_eq!(seqs(&entry.replay), (2..=501).collect::<Vec<_>>());
        talker.say("open", "meanwhile").await;
        let rest = all_after(&mut reader, "open", 501).await;
        assert_eq!(seqs(&rest[..702]), (502..=1_203).collect::<Vec<_>>());
        assert_eq!(seq(&reader.next_durable().await), 1_204, "it was live already");
    }

    async fn a_resume_replays_256_kib_at_most(setup: Setup) {
        let server = setup.start().await;
        let mut talker = server.native_guest().await;
        let epoch = talker.join("open").await.epoch().to_owned();
        flood(&mut talker, "open", 60, 8_000).await;
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", 0, &epoch).await;
        let bytes: usize = entry.replay.iter().map(|event| event.to_string().len()).sum();
        assert!(bytes <= 256 * 1024 && bytes > 128 * 1024, "{bytes}");
        assert_eq!(entry.joined["more"], true);
        let to = seqs(&entry.replay).last().copied();
        assert_eq!(entry.joined["to"].as_i64(), to);
        let rest = all_after(&mut reader, "open", to.expect("some")).await;
        assert_eq!(entry.replay.len() + rest.len(), 60);
    }

    async fn an_after_ahead_of_the_room_and_another_epoch_are_reset(setup: Setup) {
        let server = setup.start().await;
        let mut talker = server.native_guest().await;
        let epoch = talker.join("open").await.epoch().to_owned();
        for n in 0..5 {
            talker.say("open", &n.to_string()).await;
        }
        for (after, epoch) in [(6, epoch.as_str()), (1_000_000, &epoch), (3, "another")] {
            let mut reader = server.native_guest().await;
            let entry = reader.join_after("open", after, epoch).await;
            assert_eq!(entry.joined["verdict"], "reset", "{after} {epoch}");
            assert_eq!(entry.seq(), 5);
            let all = all_after(&mut reader, "open", 0).await;
            assert_eq!(seqs(&all), [1, 2, 3, 4, 5], "what is to be loaded anew");
            reader.ok(json!({"type": "leave", "room": "open"})).await;
        }
    }

    async fn a_restored_backup_has_a_new_epoch(setup: Setup) {
        let mut server = setup.start().await;
        let mut talker = server.native_guest().await;
        let epoch = talker.join("open").await.epoch().to_owned();
        talker.say("open", "one").await;
        server.stop().await;
        let done = server.run(&["migrate", "new-epochs"], "").await;
        assert!(done.status.success(), "{done:?}");
        let server = server.restart().await;
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", 1, &epoch).await;
        assert_eq!(entry.joined["verdict"], "reset");
        assert_ne!(entry.epoch(), epoch);
    }

    async fn a_running_server_closes_with_4101_when_its_rooms_get_new_epochs(setup: Setup) {
        let server = setup.start().await;
        let mut native = server.native_guest().await;
        let epoch = native.join("open").await.epoch().to_owned();
        native.say("open", "one").await;
        let mut plain = server.room("open").open().await;
        let done = server.run(&["migrate", "new-epochs"], "").await;
        assert!(done.status.success(), "{done:?}");
        native.expect_bye_and_close(4101).await;
        let mut again = server.native_guest().await;
        let entry = again.join_after("open", 1, &epoch).await;
        assert_eq!(entry.joined["verdict"], "reset");
        again.say("open", "two").await;
        plain.expect_value(&json!("two")).await;
    }

    async fn a_resume_reaches_over_a_restart(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut hers = server.native_as(&alice).await;
        let entry = hers.join(&group).await;
        for n in 0..5 {
            hers.say(&group, &n.to_string()).await;
        }
        let server = server.restart().await;
        let mut again = server.native_as(&alice).await;
        let resumed = again.join_after(&group, entry.seq() + 2, entry.epoch()).await;
        assert_eq!(resumed.joined["verdict"], "full");
        assert_eq!(resumed.epoch(), entry.epoch(), "a restart is no other store");
        let texts: Vec<&Value> = resumed.replay.iter().map(|event| &event["message"]).collect();
        assert_eq!(texts, ["2", "3", "4"]);
    }

    async fn one_who_joins_twice_follows_once(setup: Setup) {
        let server = setup.start().await;
        let mut guest = server.native_guest().await;
        let entry = guest.join("open").await;
        guest.say("open", "one").await;
        guest.until("one").await;
        let again = guest.join_after(&entry.chat(), 0, entry.epoch()).await;
        assert_eq!(seqs(&again.replay), [1]);
        assert_eq!(again.joined["sessions"], 1);
        guest.say("open", "two").await;
        guest.until("two").await;
        guest.say("open", "three").await;
        let before = guest.until("three").await;
        assert!(before.iter().all(|frame| frame["type"] != "chat_message"), "{before:?}");
    }

    async fn nothing_is_lost_or_doubled_for_those_who_join_while_others_talk(setup: Setup) {
        let server = setup.start().await;
        let mut talkers = JoinSet::new();
        for _ in 0..5 {
            let mut talker = server.native_guest().await;
            talker.join("open").await;
            talkers.spawn(async move { flood(&mut talker, "open", 400, 20).await });
        }
        let mut followers = JoinSet::new();
        for place in 0..40_i64 {
            let door = server.native("/ws/");
            followers.spawn(async move {
                let mut follower = Follower::of("open");
                let mut socket = door.clone().hello().await;
                follower.join(&mut socket).await.expect("it stays");
                // Each comes back at a point of its own, while everybody talks on.
                for stop in [place * 20 + 1, place * 20 + 500, 1_900] {
                    follower.until(&mut socket, stop).await.expect("it stays");
                    drop(socket);
                    socket = door.clone().hello().await;
                    follower.join(&mut socket).await.expect("it stays");
                }
                follower.until(&mut socket, 2_000).await.expect("it stays");
                follower
            });
        }
        talkers.join_all().await;
        let followers = followers.join_all().await;
        for follower in &followers {
            assert_eq!(follower.have(), 2_000);
            assert_eq!(follower.seen(), followers[0].seen(), "one order for all");
        }
    }
}

/// A server on `PostgreSQL` whose events of the room `open` up to this one are past keeping.
async fn with_old_events(up_to: i64, total: usize) -> (Server, String) {
    let url = fresh_database();
    let setup = Setup::direct().env("DATABASE_URL", &url).env("HUBBUB__STORE__KEEP_DAYS", "1");
    let server = setup.start().await;
    let mut talker = server.native_guest().await;
    let epoch = talker.join("open").await.epoch().to_owned();
    flood(&mut talker, "open", total, 10).await;
    let three_days: i64 = 3 * 86_400 * 1_000_000;
    psql(
        &url,
        &format!("UPDATE event SET created_at = created_at - {three_days} WHERE seq <= {up_to}"),
    );
    // What is past keeping goes at the start.
    (server.restart().await, epoch)
}

#[tokio::test]
async fn partial_begins_with_the_first_event_that_is_still_kept() {
    let (server, epoch) = with_old_events(10, 20).await;
    let entry = eventually("the old ones are gone", Duration::from_secs(20), || async {
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", 0, &epoch).await;
        if entry.joined["verdict"] == "partial" && entry.joined["from"] == 11 {
            Ok(entry)
        } else {
            Err(entry.joined.to_string())
        }
    })
    .await;
    assert_eq!(seqs(&entry.replay), (11..=20).collect::<Vec<_>>());
    assert_eq!((entry.seq(), &entry.joined["to"]), (20, &json!(20)));
    for (after, verdict, first) in
        [(5, "partial", 11), (9, "partial", 11), (10, "full", 11), (15, "full", 16)]
    {
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", after, &epoch).await;
        assert_eq!(entry.joined["verdict"], verdict, "after {after}");
        assert_eq!(entry.joined["from"], first, "after {after}");
        assert_eq!(seqs(&entry.replay), (first..=20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn numbering_goes_on_when_everything_is_past_keeping() {
    let (server, epoch) = with_old_events(20, 20).await;
    let mut talker = server.native_guest().await;
    talker.join("open").await;
    let said = talker.say("open", "the next").await;
    assert_eq!(seq(&said), 21);
    eventually("the old ones are gone", Duration::from_secs(20), || async {
        let mut reader = server.native_guest().await;
        let entry = reader.join_after("open", 3, &epoch).await;
        if entry.joined["verdict"] == "partial" && seqs(&entry.replay) == [21] {
            Ok(())
        } else {
            Err(entry.joined.to_string())
        }
    })
    .await;
}
