//! CONTRACT section 3, *Closes on plain sockets*: each code where it belongs. 1009, 1002 and 1007
//! by hostile bytes stand in `hostile_frames`, 1013 in `bounds`.

use serde_json::json;

use crate::support::Setup;
use crate::support::postgres::fresh_database;
use crate::support::psql::psql;

on_both_engines! {
    async fn a_drain_closes_with_1001(setup: Setup) {
        let mut server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let guest = server.room("open").open().await;
        let user = server.room(&group).token(&alice.access).open().await;
        let (status, ()) = tokio::join!(server.stop(), async {
            guest.expect_close(1001).await;
            user.expect_close(1001).await;
        });
        assert_eq!(status.code(), Some(0));
    }

    async fn a_frame_over_the_limit_closes_with_1009(setup: Setup) {
        let server = setup.env("HUBBUB__SESSION__MAX_FRAME_BYTES", "20000").start().await;
        let mut socket = server.room("open").open().await;
        let padding = "x".repeat(19_000);
        socket.send_json(&json!({"message": 1, "padding": padding})).await;
        socket.is_alive_with_nothing_waiting("large enough").await;
        socket.say(&"x".repeat(20_001)).await;
        socket.expect_close(1009).await;
    }

    async fn the_frame_limit_is_64_kib_by_default(setup: Setup) {
        let server = setup.start().await;
        let mut socket = server.room("open").open().await;
        let padding = "x".repeat(64 * 1024 - 100);
        socket.send_json(&json!({"message": 1, "padding": padding})).await;
        socket.is_alive_with_nothing_waiting("large enough").await;
        socket.say(&"x".repeat(64 * 1024)).await;
        socket.expect_close(1009).await;
    }

    async fn signing_out_closes_with_4001(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let group = alice.create_group("group", &[]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let mut sockets = Vec::new();
        for room in ["lobby", group.as_str(), shh.as_str()] {
            sockets.push(server.room(room).token(&alice.access).open().await);
            sockets.push(server.room(room).cookie(&alice.access).open().await);
        }
        alice.log_out().await;
        for socket in sockets {
            assert_eq!(socket.close_code().await, Some(4001));
        }
    }

    async fn a_removed_members_socket_closes_with_4403_at_once(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let mut hers = server.room(&group).token(&alice.access).open().await;
        let his = server.room(&group).token(&bob.access).open().await;
        let his_other = server.room(&group).cookie(&bob.access).open().await;
        alice.remove_from_chat(&group, &bob).await;
        hers.say("he is gone").await;
        hers.expect_text("he is gone").await;
        his.expect_close(4403).await;
        his_other.expect_close(4403).await;
    }

    async fn one_who_removes_himself_is_closed_with_4403(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let his = server.room(&group).token(&bob.access).open().await;
        bob.remove_from_chat(&group, &bob).await;
        his.expect_close(4403).await;
    }

    async fn a_deleted_rooms_sockets_close_with_4404(setup: Setup) {
        let server = setup.start().await;
        let (alice, bob) = (server.account("alice").await, server.account("bob").await);
        let group = alice.create_group("group", &[&bob]).await;
        let shh = alice.create_shh_room("Lounge").await;
        let in_group = server.room(&group).token(&bob.access).open().await;
        let in_shh = server.room(&shh).token(&alice.access).open().await;
        alice.api.delete(&format!("/api/chats/{group}/")).await.is(204);
        assert_eq!(in_group.close_code().await, Some(4404));
        alice.api.delete(&format!("/room/delete/{shh}/")).await.is(200);
        assert_eq!(in_shh.close_code().await, Some(4404));
    }

    async fn a_fault_of_the_servers_own_closes_with_1011(setup: Setup) {
        let url = fresh_database();
        let server = setup.env("DATABASE_URL", &url).start().await;
        let alice = server.account("alice").await;
        let shh = alice.create_shh_room("Lounge").await;
        alice.post_to_shh(&shh, "one").await;

        // No room is live then: its history has to be read.
        let server = server.restart().await;
        let mut guest = server.room("open").open().await;
        guest.is_alive_with_nothing_waiting("before").await;
        psql(&url, "ALTER TABLE event RENAME TO nowhere");
        server.room(&shh).token(&alice.access).accepted_then_closed(1011).await;
        guest.say("what can't be stored").await;
        guest.expect_close(1011).await;

        psql(&url, "ALTER TABLE nowhere RENAME TO event");
        let mut hers = server.room(&shh).token(&alice.access).open().await;
        assert_eq!(hers.next().await["messages"][0]["message"], "one");
        server.room("open").open().await.is_alive_with_nothing_waiting("after").await;
    }

    async fn a_clients_close_is_answered_and_frees_its_place(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let socket = server.room("lobby").token(&alice.access).open().await;
        socket.close().await;
        crate::support::eventually("she is away", std::time::Duration::from_secs(5), || async {
            let online = alice.api.get("/api/online/").await.is(200);
            if online == json!([]) { Ok(()) } else { Err(online.to_string()) }
        })
        .await;
    }
}
