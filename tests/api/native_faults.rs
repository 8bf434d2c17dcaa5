//! PROTOCOL.md: what a client of `hubbub.v1` sees of a fault of the server's own, here a database
//! from which somebody took a table.

use serde_json::json;

use crate::support::Setup;
use crate::support::postgres::fresh_database;
use crate::support::psql::psql;

on_both_engines! {
    async fn a_store_that_is_broken_is_internal_and_closes_a_rooms_own_door_with_4000(setup: Setup) {
        let url = fresh_database();
        let server = setup.env("DATABASE_URL", &url).start().await;
        let alice = server.account("alice").await;
        let mut before = server.native_as(&alice).await;
        let epoch = before.join("hall").await.epoch().to_owned();
        before.say("hall", "one").await;

        // No room is live then: what one missed has to be read.
        let server = server.restart().await;
        let mut everywhere = server.native_as(&alice).await;
        everywhere.join("den").await;
        psql(&url, "ALTER TABLE event RENAME TO nowhere");
        let send = json!({"type": "send", "room": "den", "message": "two", "client_id": "2"});
        everywhere.refused(send.clone(), "internal").await;
        let door = server.native_room("hall").bearer(&alice.access);
        let own = door.query("after", "0").query("epoch", &epoch).hello().await;
        own.expect_bye_and_close(4000).await;

        psql(&url, "ALTER TABLE nowhere RENAME TO event");
        everywhere.ok(send).await;
    }
}
