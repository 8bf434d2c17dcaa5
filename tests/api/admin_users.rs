//! CONTRACT section 5, acts on accounts: off, on, signed out, sockets and all, at once.

use serde_json::json;

use crate::support::account::PASSWORD;
use crate::support::admin::admin;
use crate::support::{Setup, shape};

const STANDING: &str = "id:int username:str disabled_at:time|null";

on_both_engines! {
    async fn a_user_who_is_disabled_is_out_at_once_and_back_when_enabled(setup: Setup) {
        let server = setup.start().await;
        let (root, alice) = (admin(&server).await, server.account("alice").await);
        let group = alice.create_group("group", &[&root]).await;
        let mut stays = server.room(&group).token(&root.access).open().await;
        let plain = [
            server.room("lobby").token(&alice.access).open().await,
            server.room(&group).cookie(&alice.access).open().await,
        ];
        let native = server.native_as(&alice).await;
        let path = format!("/api/admin/users/{}", alice.id);
        let standing = root.api.post(&format!("{path}/disable/"), json!({})).await.is(200);
        shape(&standing, STANDING);
        shape(&standing, "disabled_at:time");
        native.expect_bye_and_close(4401).await;
        for socket in plain {
            assert_eq!(socket.close_code().await, Some(4001));
        }
        alice.api.get("/api/me/").await.error(401);
        let body = json!({"username": "alice", "password": PASSWORD});
        server.api().post("/api/token/", body).await.error(401);
        stays.say("she is gone").await;
        stays.expect_text("she is gone").await;
        let again = root.api.post(&format!("{path}/disable/"), json!({})).await.is(200);
        assert_eq!(again, standing, "off since the first time");

        let standing = root.api.post(&format!("{path}/enable/"), json!({})).await.is(200);
        assert!(standing["disabled_at"].is_null(), "{standing}");
        alice.api.get("/api/me/").await.error(401);
        let anew = alice.again().await;
        let mut native = server.native_as(&anew).await;
        native.join(&group).await;
        let mut plain = server.room(&group).token(&anew.access).open().await;
        plain.say("back").await;
        plain.expect_text("back").await;
        native.until("back").await;
    }

    async fn a_user_who_is_signed_out_is_so_everywhere_and_may_come_again(setup: Setup) {
        let server = setup.start().await;
        let (root, alice) = (admin(&server).await, server.account("alice").await);
        let other = alice.again().await;
        let plain = server.room("lobby").token(&alice.access).open().await;
        let native = server.native_as(&other).await;
        let path = format!("/api/admin/users/{}/sign-out/", alice.id);
        shape(&root.api.post(&path, json!({})).await.is(200), STANDING);
        native.expect_bye_and_close(4401).await;
        assert_eq!(plain.close_code().await, Some(4001));
        for account in [&alice, &other] {
            account.api.get("/api/me/").await.error(401);
            let body = json!({"refresh": account.refresh});
            server.api().post("/api/token/refresh/", body).await.error(401);
        }
        server.native_as(&alice.again().await).await.join("lobby").await;
        root.api.post(&path, json!({})).await.is(200);
    }
}

#[tokio::test]
async fn acts_on_an_account_that_is_not_there_are_404() {
    let server = Setup::direct().start().await;
    let root = admin(&server).await;
    for act in ["disable", "enable", "sign-out"] {
        for id in ["999", "x", "-1", "99999999999999999999"] {
            root.api.post(&format!("/api/admin/users/{id}/{act}/"), json!({})).await.error(404);
        }
    }
}
