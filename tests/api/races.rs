//! A socket that comes in while its right to be there goes away: it is refused, or it is closed
//! with the right code; it is never left sitting in a room that is not there for it.

use serde_json::json;

use crate::support::Setup;

const ROUNDS: usize = 40;

on_both_engines! {
    async fn a_socket_that_comes_in_while_its_room_is_deleted_is_told_so(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for round in 0..ROUNDS {
            let group = alice.create_group("group", &[]).await;
            let path = format!("/api/chats/{group}/");
            // With somebody in it the room is live; without, it starts for the one who comes in.
            let first = match round % 2 {
                0 => Some(server.room(&group).token(&alice.access).open().await),
                _ => None,
            };
            let door = server.room(&group).token(&alice.access);
            let (deleted, socket) = tokio::join!(alice.api.delete(&path), door.try_open());
            deleted.is(204);
            for socket in [first, socket].into_iter().flatten() {
                assert_eq!(socket.close_code().await, Some(4404), "round {round}");
            }
        }
    }

    async fn a_socket_that_has_just_opened_is_told_of_its_rooms_deletion(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for round in 0..ROUNDS {
            let group = alice.create_group("group", &[]).await;
            let socket = server.room(&group).token(&alice.access).open().await;
            alice.api.delete(&format!("/api/chats/{group}/")).await.is(204);
            assert_eq!(socket.close_code().await, Some(4404), "round {round}");
        }
    }

    async fn a_socket_that_comes_in_while_its_user_is_removed_is_told_so(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[]).await;
        for round in 0..ROUNDS {
            alice.add_to_chat(&group, &bob).await;
            let first = match round % 2 {
                0 => Some(server.room(&group).token(&alice.access).open().await),
                _ => None,
            };
            let door = server.room(&group).token(&bob.access);
            let (_, socket) = tokio::join!(alice.remove_from_chat(&group, &bob), door.try_open());
            if let Some(socket) = socket {
                assert_eq!(socket.close_code().await, Some(4403), "round {round}");
            }
            drop(first);
        }
    }

    async fn a_socket_that_comes_in_while_its_login_ends_is_told_so(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for round in 0..ROUNDS / 2 {
            let login = alice.again().await;
            let door = server.room("lobby").token(&login.access);
            let out = login.api.post("/logout/", json!({}));
            let (out, socket) = tokio::join!(out, door.try_open());
            out.is(200);
            if let Some(socket) = socket {
                assert_eq!(socket.close_code().await, Some(4001), "round {round}");
            }
        }
    }
}
