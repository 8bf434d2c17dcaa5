//! CONTRACT section 5 and SECURITY, *Records*: every act of an admin leaves its row, with ids,
//! times and numbers, and nothing that somebody wrote.

use serde_json::{Value, json};

use crate::support::account::text;
use crate::support::admin::admin;
use crate::support::{Setup, shape_all};

const ROW: &str = "id:int at:time actor:int|null action:str target:str before:obj|null \
                   after:obj|null ip:str|null";

fn all(rows: &Value, key: &str) -> Vec<String> {
    rows.as_array().expect("rows").iter().map(|row| text(&row[key])).collect()
}

#[tokio::test]
async fn every_act_leaves_its_row_and_none_of_what_was_said() {
    let server = Setup::direct().start().await;
    let (boss, alice) = (admin(&server).await, server.account("alice").await);
    let group = alice.create_group("group", &[]).await;
    let said = text(&alice.post_to_chat(&group, "a secret").await["id"]);
    let room = |act: &str| format!("/api/admin/rooms/{group}/{act}/");
    let user = |act: &str| format!("/api/admin/users/{}/{act}/", alice.id);
    boss.api.delete(&format!("/api/admin/messages/{said}/")).await.is(200);
    boss.api.delete(&format!("/api/admin/messages/{said}/")).await.is(200);
    let whom = json!({"user_id": alice.id});
    for act in ["kick", "ban", "unban"] {
        boss.api.post(&room(act), whom.clone()).await.is(200);
    }
    let words = json!({"message": "another secret\nFORGED", "room_id": group});
    boss.api.post("/api/admin/announce/", words).await.is(200);
    boss.api.post("/api/admin/announce/", json!({"message": "a third secret"})).await.is(200);
    boss.api.post(&room("close"), json!({})).await.is(200);
    for act in ["sign-out", "disable", "enable"] {
        boss.api.post(&user(act), json!({})).await.is(200);
    }
    let done = server.run(&["user", "disable", "--username", "alice"], "").await;
    assert!(done.status.success(), "{done:?}");

    let rows = boss.api.get("/api/admin/audit/").await.is(200);
    shape_all(&rows, ROW);
    let (message, here) = (format!("message:{said}"), format!("room:{group}"));
    let (her, everybody) = (format!("user:{}", alice.id), "everybody".to_owned());
    let expected = [
        ("user.disable", &her),
        ("user.enable", &her),
        ("user.disable", &her),
        ("user.sign_out", &her),
        ("room.close", &here),
        ("announce", &everybody),
        ("announce", &here),
        ("room.unban", &here),
        ("room.ban", &here),
        ("room.kick", &here),
        ("message.delete", &message),
        ("message.delete", &message),
    ];
    assert_eq!(all(&rows, "action"), expected.map(|(action, _)| action));
    assert_eq!(all(&rows, "target"), expected.map(|(_, target)| target.clone()));
    assert!(!rows.to_string().contains("secret"), "{rows}");
    assert!(!rows.to_string().contains("FORGED"), "{rows}");
    // The command line has no account and no address.
    assert!(rows[0]["actor"].is_null() && rows[0]["ip"].is_null(), "{rows}");
    for row in &rows.as_array().expect("rows")[1..] {
        assert_eq!((&row["actor"], &row["ip"]), (&json!(boss.id), &json!("127.0.0.1")), "{row}");
    }
    assert_eq!(rows[1]["before"]["disabled_at"], rows[2]["after"]["disabled_at"]);
    assert!(rows[1]["after"]["disabled_at"].is_null(), "{rows}");
    assert_eq!(rows[8]["after"]["subject"], format!("u:{}", alice.id));
    assert_eq!(
        (&rows[8]["before"]["banned"], &rows[8]["after"]["banned"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn the_audit_pages_to_older_rows() {
    let server = Setup::direct().start().await;
    let boss = admin(&server).await;
    for n in 0..5 {
        let body = json!({"message": "x".repeat(n + 1)});
        boss.api.post("/api/admin/announce/", body).await.is(200);
    }
    let mut path = "/api/admin/audit/?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = boss.api.get(&path).await;
        let next = page.next();
        let rows = page.is(200);
        seen.extend(rows.as_array().expect("rows").iter().map(|row| row["after"]["bytes"].clone()));
        let Some(next) = next else { break };
        assert!(next.contains("before="), "{next}");
        path = next;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(|n| json!(n)));
    boss.api.get("/api/admin/audit/?before=x").await.invalid("before");
    boss.api.get("/api/admin/audit/?limit=0").await.invalid("limit");
}

#[tokio::test]
async fn acts_and_their_audit_are_for_superusers_alone() {
    let server = Setup::direct().start().await;
    let (boss, alice) = (admin(&server).await, server.account("alice").await);
    let group = alice.create_group("group", &[]).await;
    let said = text(&alice.post_to_chat(&group, "hers").await["id"]);
    let mut acts: Vec<(&str, String)> = vec![
        ("GET", "/api/admin/audit/".to_owned()),
        ("DELETE", format!("/api/admin/messages/{said}/")),
        ("POST", "/api/admin/announce/".to_owned()),
    ];
    for act in ["close", "kick", "ban", "unban"] {
        acts.push(("POST", format!("/api/admin/rooms/{group}/{act}/")));
    }
    for act in ["disable", "enable", "sign-out"] {
        acts.push(("POST", format!("/api/admin/users/{}/{act}/", boss.id)));
    }
    for (method, path) in acts {
        server.api().bare(method, &path).await.error(401);
        alice.api.bare(method, &path).await.error(403);
        // A page of another origin has the admin's cookie, and can do nothing with it.
        let foreign = server.api().cookie(&boss.access).with("origin", "http://evil.example");
        if method != "GET" {
            foreign.bare(method, &path).await.error(401);
        }
    }
    assert_eq!(boss.api.get("/api/admin/audit/").await.is(200), json!([]));
}
