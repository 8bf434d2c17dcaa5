//! PROTOCOL.md, `busy` and `unknown_outcome`: what a native client is told when the store is behind
//! or away, and that sending it again with the same `client_id` is all that it takes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::native::seq;
use crate::support::psql::psql;
use crate::support::{Native, Setup, eventually, shape};

fn send(text: &str) -> Value {
    json!({"type": "send", "room": "open", "message": text, "client_id": text})
}

/// The texts of the room.
async fn history(socket: &mut Native) -> Vec<Value> {
    let page = socket.ask(json!({"type": "history", "room": "open", "after": 0})).await;
    page["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["message"].clone())
        .collect()
}

on_both_engines! {
    async fn busy_is_a_room_without_a_permit_left_and_says_when_to_try_again(setup: Setup) {
        let setup = setup.env("HUBBUB__ROOMS__PERMITS", "1");
        let (server, database, _) = setup.start_behind_a_proxy().await;
        let mut first = server.native_guest().await;
        let mut second = server.native_guest().await;
        first.join("open").await;
        second.join("open").await;
        database.silence();
        first.send(send("one")).await;
        second.send(send("two")).await;
        // They may sit on two workers: whoever came first is taken, the other one is refused.
        let (refused, mut taken, mut turned_away, text) = tokio::select! {
            refused = second.next_of("error") => (refused, first, second, "two"),
            refused = first.next_of("error") => (refused, second, first, "one"),
        };
        assert_eq!(refused["code"], "busy", "{refused}");
        shape(&refused, "code:str detail:str retry_after_ms:int");
        database.heal();
        let ok = taken.next_of("ok").await;
        assert_eq!((seq(&ok), &ok["duplicate"]), (1, &json!(false)));
        // The place is free once everybody has the other message, which is after its `ok`.
        let ok = loop {
            let answer = turned_away.ask(send(text)).await;
            if answer["type"] == "ok" {
                break answer;
            }
            assert_eq!(answer["code"], "busy", "{answer}");
            let wait = answer["retry_after_ms"].as_u64().expect("a wait");
            tokio::time::sleep(Duration::from_millis(wait)).await;
        };
        assert_eq!((seq(&ok), &ok["duplicate"]), (2, &json!(false)), "nothing was left of it");
        assert_eq!(history(&mut taken).await.len(), 2);
    }
}

#[tokio::test]
async fn unknown_outcome_is_a_commit_without_an_answer_and_sent_again_it_is_stored_once() {
    let (server, database, url) = Setup::direct().start_behind_a_proxy().await;
    let mut guest = server.native_guest().await;
    guest.join("open").await;
    psql(
        &url,
        "CREATE FUNCTION wait() RETURNS trigger AS $$ BEGIN
            PERFORM pg_sleep(2); RETURN NEW; END $$ LANGUAGE plpgsql;
        CREATE TRIGGER wait BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION wait();",
    );
    let (refused, ()) = tokio::join!(guest.refused(send("once"), "unknown_outcome"), async {
        eventually("the insert is running", Duration::from_secs(30), || async {
            let running =
                psql(&url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
            if running == "1" { Ok(()) } else { Err(running) }
        })
        .await;
        database.silence();
    });
    assert_eq!(refused["code"], "unknown_outcome");
    psql(&url, "DROP TRIGGER wait ON event");
    database.heal();
    let ok = guest.ok(send("once")).await;
    assert_eq!(seq(&ok), 1);
    assert_eq!(history(&mut guest).await, ["once"]);
}
