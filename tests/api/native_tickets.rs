//! PROTOCOL.md, *Proving who you are*, 3: tickets. Used once, for 30 s, minted by whatever REST
//! takes for a credential.

use std::time::Duration;

use serde_json::json;

use crate::support::account::text;
use crate::support::native::Way;
use crate::support::socket::Door;
use crate::support::{Account, Api, Setup, eventually};

const MINT: &str = "/api/ws-ticket/";

async fn mint(api: &Api) -> String {
    let body = api.post(MINT, json!({})).await.is(200);
    assert_eq!(body["expires_in"], 30);
    text(&body["ticket"])
}

/// Whether a ticket still opens a socket.
async fn opens(account: &Account, door: Door) -> bool {
    let mut socket = door.open().await;
    let mut frame = socket.next().await;
    if frame["type"] == "hello" && frame["user"]["id"] == account.id {
        return true;
    }
    if frame["type"] == "hello" {
        frame = socket.next().await;
    }
    assert_eq!(frame["type"], "bye", "{frame}");
    assert_eq!(frame["code"], 4401, "{frame}");
    false
}

on_both_engines! {
    async fn a_ticket_is_used_once(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let ticket = mint(&alice.api).await;
        let door = || server.native("/ws/").way(Way::Ticket(&ticket));
        let socket = door().hello().await;
        assert_eq!(socket.said_hello()["user"]["id"], alice.id);
        door().turned_away(4401).await;
        server.native_room("lobby").way(Way::Ticket(&ticket)).turned_away(4401).await;
    }

    async fn of_two_who_use_a_ticket_at_once_one_gets_in(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        for _ in 0..20 {
            let ticket = mint(&alice.api).await;
            let door = || server.native("/ws/").way(Way::Ticket(&ticket));
            let (one, two, three) =
                tokio::join!(opens(&alice, door()), opens(&alice, door()), opens(&alice, door()));
            let inside = [one, two, three].into_iter().filter(|&is| is).count();
            assert_eq!(inside, 1);
        }
    }

    async fn any_credential_that_rest_takes_mints_a_ticket(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let own = server.origin();
        let cookie = server.api().cookie(&alice.access);
        for api in [alice.api.clone(), cookie.with("origin", &own)] {
            let ticket = mint(&api).await;
            server.native("/ws/").way(Way::Ticket(&ticket)).hello().await;
        }
        server.api().post(MINT, json!({})).await.error(401);
        server.api().bearer("garbage").post(MINT, json!({})).await.error(401);
        let foreign = cookie.with("origin", "https://evil.example").post(MINT, json!({})).await;
        assert!(matches!(foreign.status, 401 | 403), "{foreign:?}");
        server.api().get(MINT).await.error(405);
    }

    async fn a_ticket_is_as_good_as_its_login(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let ticket = mint(&alice.api).await;
        alice.log_out().await;
        server.native("/ws/").way(Way::Ticket(&ticket)).turned_away(4401).await;
    }

    async fn a_ticket_does_not_outlive_the_access_token_that_bought_it(setup: Setup) {
        let server = setup.env("HUBBUB__AUTH__ACCESS_TTL_S", "2").start().await;
        let alice = server.account("alice").await;
        let tickets = [mint(&alice.api).await, mint(&alice.api).await];
        eventually("her token ends", Duration::from_secs(10), || async {
            let status = alice.api.get("/api/me/").await.status;
            if status == 401 { Ok(()) } else { Err(format!("{status}")) }
        })
        .await;
        server.native("/ws/").way(Way::Ticket(&tickets[0])).turned_away(4100).await;
        server.native_room("lobby").way(Way::Ticket(&tickets[1])).turned_away(4100).await;
        server.native("/ws/").way(Way::Ticket(&tickets[0])).turned_away(4401).await;
    }

    async fn a_ticket_outlives_the_server_that_minted_it(setup: Setup) {
        let server = setup.start().await;
        let alice = server.account("alice").await;
        let (fresh, used) = (mint(&alice.api).await, mint(&alice.api).await);
        server.native("/ws/").way(Way::Ticket(&used)).hello().await;
        let server = server.restart().await;
        server.native("/ws/").way(Way::Ticket(&fresh)).hello().await;
        server.native("/ws/").way(Way::Ticket(&used)).turned_away(4401).await;
    }
}

#[tokio::test]
async fn a_ticket_is_good_for_30_seconds() {
    let server = Setup::direct().start().await;
    let alice = server.account("alice").await;
    let ticket = mint(&alice.api).await;
    // Nobody says when it has expired: only time tells.
    tokio::time::sleep(Duration::from_secs(31)).await;
    server.native("/ws/").way(Way::Ticket(&ticket)).turned_away(4401).await;
}
