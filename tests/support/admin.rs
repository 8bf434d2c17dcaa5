//! An admin, made by the command line as an operator would.

use serde_json::json;

use super::account::{Account, text};
use super::{Server, account};

/// A superuser of this server, signed in.
pub async fn admin(server: &Server) -> Account {
    let email = "root@example.org";
    let args = ["user", "create", "--username", "root", "--email", email, "--superuser"];
    let args = [&args[..], &["--password-stdin"]].concat();
    let done = server.run(&args, &format!("{}\n", account::PASSWORD)).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let api = server.api();
    let body = json!({"username": "root", "password": account::PASSWORD});
    let body = api.post("/api/token/", body).await.is(200);
    let (access, refresh) = (text(&body["access"]), text(&body["refresh"]));
    let api = api.bearer(&access);
    let id = api.get("/api/me/").await.is(200)["id"].as_i64().expect("an id");
    Account { api, id, username: "root".to_owned(), email: email.to_owned(), access, refresh }
}
