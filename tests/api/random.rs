//! Random Chat's client, from its first request to its last: no account, rooms by name, live
//! counts, a nick in every message.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Api, Setup, eventually, shape, shape_all};

on_both_databases! {
    async fn random_chats_client_walks_through(setup: Setup) {
        let server = setup.start().await;
        let api = server.api();

        let rooms = api.get("/list_rooms/").await.is(200);
        assert_eq!(rooms, json!([]), "a new server has no rooms");

        let made = api.post("/create_room/", json!({"name": "Rust"})).await.is(201);
        shape(&made, "name:str active_members:int");
        assert_eq!((&made["name"], &made["active_members"]), (&json!("Rust"), &json!(0)));
        let again = api.post("/create_room/", json!({"room_name": "Rust"})).await.is(200);
        assert_eq!(again["name"], "Rust");
        shape_all(&api.get("/list_rooms/").await.is(200), "name:str active_members:int");
        assert_eq!(count(&api, "Rust").await, Some(0), "a POSTed room is listed with 0");

        let mut ann = server.room("Rust").origin("null").open().await;
        let mut ben = server.room("Rust").open().await;
        members(&api, "Rust", Some(2)).await;

        let value = json!({"message": "hi, I am Ann", "nick_name": "ann"});
        ann.send_json(&json!({"message": value})).await;
        ann.expect_value(&value).await;
        ben.expect_value(&value).await;
        ben.send_json(&json!({"message": "plain"})).await;
        ann.expect_value(&json!("plain")).await;
        ben.expect_value(&json!("plain")).await;

        ann.close().await;
        members(&api, "Rust", Some(1)).await;
        ben.reset();
        members(&api, "Rust", Some(0)).await;

        let mut passing = server.room("passing%20by").open().await;
        members(&api, "passing by", Some(1)).await;
        passing.is_alive_with_nothing_waiting("still here").await;
        passing.close().await;
        members(&api, "passing by", None).await;
    }
}

/// Waits until `/list_rooms/` says so.
async fn members(api: &Api, room: &str, wanted: Option<i64>) {
    eventually("the count in /list_rooms/", Duration::from_secs(5), || async {
        let found = count(api, room).await;
        if found == wanted { Ok(()) } else { Err(format!("{room} has {found:?}")) }
    })
    .await;
}

async fn count(api: &Api, room: &str) -> Option<i64> {
    let rooms = api.get("/list_rooms/").await.is(200);
    let of = |found: &Value| found["active_members"].as_i64();
    rooms.as_array().expect("a bare array").iter().find(|found| found["name"] == room).and_then(of)
}

#[tokio::test]
async fn a_room_without_a_name_is_refused_by_field() {
    let server = Setup::direct().start().await;
    for body in [json!({}), json!({"name": ""}), json!({"name": "a/b"}), json!({"name": null})] {
        server.api().post("/create_room/", body).await.invalid("name");
    }
    let long = "x".repeat(101);
    server.api().post("/create_room/", json!({"name": long})).await.invalid("name");
}

#[tokio::test]
async fn a_room_closed_to_guests_is_listed_for_those_alone_who_are_signed_in() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let socket = server.room("members").token(&alice.access).open().await;
    members(&alice.api, "members", Some(1)).await;
    assert_eq!(count(&server.api(), "members").await, None);
    drop(socket);

    alice.api.post("/create_room/", json!({"name": "posted"})).await.is(201);
    assert_eq!(count(&alice.api, "posted").await, Some(0));
    assert_eq!(count(&server.api(), "posted").await, None);
}

#[tokio::test]
async fn the_room_list_takes_limit_and_leads_on_by_link() {
    let server = Setup::direct().start().await;
    let api = server.api();
    for number in 0..5 {
        api.post("/create_room/", json!({"name": format!("room {number}")})).await.is(201);
    }
    let mut seen = Vec::new();
    let mut path = Some("/list_rooms/?limit=2".to_owned());
    while let Some(page) = path {
        let answer = api.get(&page).await;
        path = answer.next();
        let rooms = answer.is(200);
        let rooms = rooms.as_array().expect("a bare array");
        assert!(rooms.len() <= 2, "{rooms:?}");
        seen.extend(rooms.iter().map(|room| room["name"].as_str().unwrap_or("").to_owned()));
    }
    seen.sort();
    assert_eq!(seen, (0..5).map(|n| format!("room {n}")).collect::<Vec<_>>());
}
