//! CONTRACT section 3, *Bad input*: what each kind of socket says to what it can't take.

use serde_json::{Value, json};

use crate::support::Setup;

/// Texts that no socket takes for a message.
fn nonsense() -> Vec<String> {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let mut all: Vec<String> = [
        "",
        " ",
        "nonsense",
        "{",
        "[]",
        "7",
        "null",
        "\"text\"",
        "{}",
        "{\"message\":}",
        "{\"msg\":\"x\"}",
        "{\"message\":null}",
        "{\"message\":7}",
        "{\"message\":true}",
        "{\"message\":[]}",
        "{\"message\":{}}",
        "{\"message\":{\"message\":7}}",
        "{\"message\":{\"nick_name\":\"x\"}}",
        "{\"message\":\"a\\u0000b\"}",
        "{\"message\":\"\\ud800\"}",
    ]
    .map(str::to_owned)
    .into();
    all.push(json!({"message": "x".repeat(8 * 1024 + 1)}).to_string());
    all.push(format!("{{\"message\":{deep}}}"));
    all.push(deep);
    all
}

on_both_engines! {
    async fn shh_sockets_are_told_of_each_bad_frame(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let shh = alice.create_shh_room("Lounge").await;
        for door in
            [server.room(&shh).token(&alice.access), server.room(&shh).cookie(&alice.access)]
        {
            let mut socket = door.open().await;
            socket.next().await;
            for text in nonsense() {
                socket.send_text(&text).await;
                socket.expect_error().await;
            }
            for blank in ["", "   ", "\n\t"] {
                socket.say(blank).await;
                socket.expect_error().await;
            }
            socket.send_binary(b"{\"message\":\"hi\"}").await;
            socket.expect_error().await;
            socket.is_alive_with_nothing_waiting("still here").await;
        }
        let history = alice.api.get("/messages/Lounge/").await.is(200);
        assert_eq!(history["messages"].as_array().map(Vec::len), Some(2), "{history}");
    }

    async fn users_elsewhere_get_nothing_for_it_and_stay(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        alice.private_chat_with(&bob).await;
        for room in ["lobby", group.as_str(), "alice_bob"] {
            let mut socket = server.room(room).token(&alice.access).open().await;
            for text in nonsense() {
                socket.send_text(&text).await;
            }
            socket.say("   ").await;
            socket.send_binary(b"{\"message\":\"hi\"}").await;
            socket.is_alive_with_nothing_waiting("still here").await;
        }
    }

    async fn a_guests_bad_value_is_dropped_before_it_breaks_another_page(setup: Setup) {
        let server = setup.start().await;
        let mut sender = server.room("open").open().await;
        let mut other = server.room("open").open().await;
        for text in nonsense() {
            sender.send_text(&text).await;
        }
        sender.send_binary(b"{\"message\":\"hi\"}").await;
        sender.is_alive_with_nothing_waiting("the first good one").await;
        other.expect_value(&json!("the first good one")).await;
    }

    async fn a_guests_value_over_16_kib_is_bad_input(setup: Setup) {
        let server = setup.start().await;
        let mut sender = server.room("open").open().await;
        let value = json!({"message": "small", "padding": "x".repeat(17 * 1024)});
        sender.send_json(&json!({"message": value})).await;
        sender.is_alive_with_nothing_waiting("after it").await;
    }

    async fn blank_text_is_relayed_between_guests_and_ignored_elsewhere(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut guest = server.room("open").open().await;
        let mut user = server.room("open").token(&alice.access).open().await;
        user.say("  ").await;
        user.say("from the user").await;
        user.expect_text("from the user").await;
        let frame = guest.next().await;
        assert_eq!(frame["message"]["message"], "from the user", "the user's blank was ignored");
        guest.say("  ").await;
        guest.expect_value(&json!("  ")).await;
    }

    async fn too_long_a_text_in_a_small_enough_frame_is_bad_input_like_any_other(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let mut user = server.room("lobby").token(&alice.access).open().await;
        let fits = "é".repeat(4 * 1024);
        user.say(&format!("{fits}x")).await;
        user.is_alive_with_nothing_waiting(&fits).await;
        let mut guest = server.room("open").open().await;
        guest.send_json(&json!({"message": {"message": format!("{fits}x")}})).await;
        guest.is_alive_with_nothing_waiting(&fits).await;
    }

    async fn control_characters_and_other_scripts_go_through_as_sent(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let mut socket = server.room(&group).token(&alice.access).open().await;
        for text in
            ["\u{1}\u{7f}\u{85}", "\u{202e}gnp.exe", "👩‍👩‍👧‍👦", "line\nbreak\ttab", "ﷺ", "\u{feff}x"]
        {
            socket.say(text).await;
            socket.expect_text(text).await;
        }
        let history = alice.api.get(&format!("/api/chats/{group}/messages/")).await.is(200);
        let kept: Vec<&Value> = history.as_array().unwrap().iter().map(|m| &m["content"]).collect();
        assert_eq!(kept.len(), 6, "{kept:?}");
        assert_eq!(kept[2], "👩‍👩‍👧‍👦");
    }
}
