//! A room whose actor panics, again and again, under load: it is made anew, its sockets stay in it
//! without joining again, and nothing that was stored is lost or comes twice.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::native::seq;
use crate::support::{Chatter, Crowd, Native, Phase, Setup, Socket};

/// The room takes a message with this text as a reason to panic (a setting for tests alone).
const FATAL: &str = "a fault on purpose";
const END: &str = "the end";
const PANICS: usize = 3;

fn send(text: &str) -> Value {
    json!({"type": "send", "room": "open", "message": text, "client_id": text})
}

/// Sends until it is stored, as a client should; its `seq`.
async fn insist(socket: &mut Native, text: &str) -> i64 {
    let since = Instant::now();
    loop {
        let answer = socket.ask(send(text)).await;
        if answer["type"] == "ok" {
            return seq(&answer);
        }
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(["unknown_outcome", "busy"].contains(&code), "{answer}");
        assert!(since.elapsed() < Duration::from_secs(30), "the room is not back: {answer}");
    }
}

/// All that a plain socket is shown until the end.
async fn reads_to_the_end(mut socket: Socket) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let frame = socket.next().await;
        let is_last = frame["message"] == END;
        all.push(frame);
        if is_last {
            return all;
        }
    }
}

on_both_engines! {
    async fn a_room_that_panics_is_back_and_its_clients_go_on_and_lose_nothing(setup: Setup) {
        let server = setup.env("HUBBUB__FAULTS__ROOM_PANICS_ON", FATAL).start().await;
        let alice = server.account("alice").await;
        let mut probe = server.native_guest().await;
        probe.join("open").await;
        let crowd = Crowd::new();
        let mut natives = JoinSet::new();
        for number in 0..8 {
            let mut one = match number {
                0..4 => Chatter::sending(&format!("sender {number}"), "open", 20),
                _ => Chatter::following("open"),
            };
            let (door, crowd) = (server.native("/ws/"), crowd.clone());
            natives.spawn(async move {
                let ended = one.live(&door, &crowd).await;
                assert_eq!(ended, Ok(()), "its connection lives on");
                one
            });
        }
        let user = server.room("open").token(&alice.access).open().await;
        let user = tokio::spawn(reads_to_the_end(user));
        let guest = tokio::spawn(reads_to_the_end(server.room("open").open().await));
        let mut plain_writer = server.room("open").open().await;

        for round in 0..PANICS {
            tokio::select! {
                () = crowd.has_answers(crowd.answered() + 100) => {}
                _ = natives.join_next() => panic!("somebody went"),
            }
            let mut culprit = server.native_guest().await;
            culprit.join("open").await;
            let began = Instant::now();
            let answer = culprit.ask(json!({"type": "send", "room": "open", "message": FATAL})).await;
            assert_eq!(answer["type"], "error", "{answer}");
            insist(&mut probe, &format!("probe {round}")).await;
            println!("the room is back after {:.1?}", began.elapsed());
            assert!(plain_writer.try_say(&format!("plain {round}")).await);
        }
        crowd.has_answers(crowd.answered() + 100).await;
        crowd.is_to(Phase::Stop);
        tokio::select! {
            () = crowd.has_idle(4) => {}
            _ = natives.join_next() => panic!("nobody was told to go"),
        }
        let head = insist(&mut probe, END).await;
        crowd.is_to(Phase::Until(head));
        let natives = natives.join_all().await;
        let (user, guest) = (user.await.expect("it read all"), guest.await.expect("it read all"));

        let mut all: Vec<Value> = Vec::new();
        while i64::try_from(all.len()).expect("few enough") < head {
            let ask = json!({"type": "history", "room": "open", "after": all.len()});
            all.extend(probe.ask(ask).await["events"].as_array().expect("events").iter().cloned());
        }
        let seqs: Vec<i64> = all.iter().map(seq).collect();
        assert_eq!(seqs, (1..=head).collect::<Vec<_>>(), "consecutive");
        let texts: Vec<&Value> = all.iter().map(|event| &event["message"]).collect();
        assert!(texts.iter().all(|text| **text != FATAL), "it was not stored");
        for n in 0..PANICS {
            for text in [format!("probe {n}"), format!("plain {n}")] {
                assert_eq!(texts.iter().filter(|said| **said == &json!(text)).count(), 1, "{text}");
            }
        }
        for one in &natives {
            assert_eq!(one.follower.resumed, 0, "nobody had to join again");
            assert_eq!(one.follower.have(), head);
            assert_eq!(one.follower.seen(), natives[0].follower.seen());
            if let Some(sender) = &one.sender {
                sender.is_kept_in(&all);
            }
        }
        for shown in [user, guest] {
            let shown: Vec<&Value> = shown.iter().map(|frame| &frame["message"]).collect();
            assert_eq!(shown, texts[texts.len() - shown.len()..], "plain sockets lose nothing");
        }
        let rooms = server.api().get("/list_rooms/").await.is(200);
        // The probe, the writer and those who panicked it are there; readers may have gone.
        let here = rooms[0]["active_members"].as_u64().expect("a count");
        assert!((2..=14).contains(&here), "{rooms}");
    }
}
