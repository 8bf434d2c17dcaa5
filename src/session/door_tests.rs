//! Tables of what knocks, and what the door makes of it.

use super::*;
use proptest::prelude::*;

struct Request {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Head for Request {
    fn method(&self) -> &str {
        self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn query(&self) -> &str {
        &self.query
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    fn list(&self, name: &str) -> Option<String> {
        let all = self.headers.iter().filter(|(key, _)| key == name);
        let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
        (!all.is_empty()).then(|| all.join(","))
    }
}

fn request(path: &str, more: &[(&str, &str)]) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let usual = [
        ("host", "localhost:8000"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let headers = more.iter().chain(&usual).map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Request { method: "GET", path: path.into(), query: query.into(), headers }
}

fn ask(request: &Request) -> Result<Knock, Refusal> {
    knock(request, IpAddr::from([127, 0, 0, 1]), &Gate::new(&["localhost"], &[], &[]))
}

#[test]
fn targets_are_decoded_once_and_come_in_nfc() {
    for (path, target) in [
        ("/ws/chat/global/", "global"),
        ("/ws/chat/global", "global"),
        ("/ws/chat/caf%C3%A9/", "café"),
        ("/ws/chat/cafe%CC%81/", "café"),
        ("/ws/chat/50%2525/", "50%25"),
        ("/ws/chat/a%20b", "a b"),
    ] {
        let asked = ask(&request(path, &[])).map(|knock| knock.target);
        assert_eq!(asked, Ok(Some(target.to_owned())));
    }
}

#[test]
fn what_is_no_room_is_turned_away() {
    let long = format!("/ws/chat/{}/", "a".repeat(302));
    for (path, status) in [
        ("/ws/chat/", 404),
        ("/ws/chat", 404),
        ("/ws/", 400),
        ("/elsewhere/", 404),
        ("/ws/chat/a/b/", 404),
        ("/ws/chat//", 404),
        ("/ws/chat/a%2Fb/", 400),
        ("/ws/chat/%00/", 400),
        ("/ws/chat/%0A/", 400),
        ("/ws/chat/%FF/", 400),
        ("/ws/chat/%20/", 400),
        (&long, 400),
    ] {
        assert_eq!(
            ask(&request(path, &[])).map_err(|refusal| refusal.status),
            Err(status),
            "{path}"
        );
    }
}

#[test]
fn what_is_no_handshake_is_turned_away() {
    for (name, value, status) in [
        ("host", "evil.example", 400),
        ("upgrade", "h2c", 426),
        ("sec-websocket-version", "8", 426),
        ("sec-websocket-key", "short", 400),
    ] {
        let refused = ask(&request("/ws/chat/x/", &[(name, value)]));
        assert_eq!(refused.map_err(|refusal| refusal.status), Err(status), "{name}");
    }
    let post = Request { method: "POST", ..request("/ws/chat/x/", &[]) };
    assert_eq!(
        ask(&post).map_err(|refusal| (refusal.status, refusal.header)),
        Err((405, Some(("Allow", "GET"))))
    );
}

#[test]
fn the_first_credential_present_counts_and_an_empty_one_is_present() {
    let bearer = ("authorization", "Bearer abc");
    let cookie = ("cookie", "x=1; access_token=def; y=2");
    let own = ("origin", "http://localhost:8000");
    for (path, headers, credential) in [
        ("/ws/chat/x/", vec![], Credential::Nothing),
        ("/ws/chat/x/?token=abc", vec![cookie], Credential::Token("abc".into())),
        ("/ws/chat/x/?token=q", vec![bearer], Credential::Token("abc".into())),
        ("/ws/chat/x/?token=", vec![], Credential::Token(String::new())),
        ("/ws/chat/x/?a=b&token=null", vec![], Credential::Token("null".into())),
        ("/ws/chat/x/", vec![("authorization", "Basic abc")], Credential::Token(String::new())),
        ("/ws/chat/x/", vec![cookie, own], Credential::Cookie("def".into(), true)),
        ("/ws/chat/x/", vec![cookie, ("origin", "null")], Credential::Cookie("def".into(), false)),
        ("/ws/chat/x/", vec![cookie], Credential::Cookie("def".into(), false)),
        ("/ws/chat/x/", vec![("cookie", "access_token=")], Credential::Nothing),
    ] {
        let shown = ask(&request(path, &headers)).map(|knock| knock.credential);
        assert_eq!(shown, Ok(credential), "{path} {headers:?}");
    }
}

#[test]
fn native_sockets_have_more_ways_to_say_who_they_are() {
    let native = |path: &str, more: &[(&str, &str)]| {
        let mut headers = vec![("sec-websocket-protocol", "hubbub.v1, x")];
        headers.extend(more);
        ask(&request(path, &headers)).expect("a knock")
    };
    let knock = native("/ws/?ticket=t&token=q&after=7&epoch=e", &[]);
    assert_eq!(knock.credential, Credential::Ticket("t".into()));
    assert_eq!((knock.target, knock.after, knock.epoch.as_deref()), (None, Some(7), Some("e")));
    let offered = [("sec-websocket-protocol", "hubbub.v1, hubbub.token.abc")];
    let knock = native("/ws/chat/x/?ticket=t", &offered);
    assert_eq!(knock.credential, Credential::Token("abc".into()));
    let bearer = [offered[0], ("authorization", "Bearer b")];
    assert_eq!(native("/ws", &bearer).credential, Credential::Token("b".into()));
    assert_eq!(native("/ws/chat/%00/", &[]).target.as_deref(), Some(""));
    assert_eq!(native("/ws/?after=x", &[]).after, None);
    let plain = ask(&request("/ws/chat/x/?ticket=t", &[])).expect("a knock");
    assert_eq!(plain.credential, Credential::Nothing);
}

#[test]
fn subprotocols_may_stand_on_as_many_lines_as_they_like() {
    let token = || Credential::Token("abc".into());
    let many = vec!["x"; 500];
    let late = [vec!["x"; 31], vec!["hubbub.v1, hubbub.token.abc"]].concat();
    let (commas, long) = (",".repeat(50_000), format!("hubbub.token.{}", "a".repeat(50_000)));
    for (lines, is_native, credential) in [
        (vec!["hubbub.v1, hubbub.token.abc"], true, token()),
        (vec!["hubbub.v1", "hubbub.token.abc"], true, token()),
        (vec!["hubbub.token.abc", "hubbub.v1"], true, token()),
        (vec!["x, y", " hubbub.v1 ,z", "hubbub.token.abc"], true, token()),
        (vec!["", ",", "hubbub.v1", ""], true, Credential::Nothing),
        (vec!["hubbub.v1", "hubbub.token.abc", "hubbub.token.def"], true, token()),
        (vec!["hubbub", ".v1"], false, Credential::Nothing),
        (vec!["x", "hubbub.token.abc"], false, Credential::Nothing),
        (many.clone(), false, Credential::Nothing),
        (late, true, Credential::Nothing),
        ([many, vec!["hubbub.v1"]].concat(), false, Credential::Nothing),
        (vec![&commas, "hubbub.v1"], false, Credential::Nothing),
        (vec!["hubbub.v1", &long], true, Credential::Token("a".repeat(50_000))),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("sec-websocket-protocol", *line)).collect();
        let knock = ask(&request("/ws/chat/x/", &headers)).expect("a knock");
        assert_eq!((knock.is_native, knock.credential), (is_native, credential), "{headers:.200?}");
    }
}

#[test]
fn of_addresses_on_several_lines_the_last_one_counts_as_of_one() {
    let proxy = IpAddr::from([127, 0, 0, 1]);
    let gate = Gate::new(&["localhost"], &[], &[proxy]);
    let lines =
        [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7, 127.0.0.1")];
    let knock = knock(&request("/ws/chat/x/", &lines), proxy, &gate);
    assert_eq!(knock.expect("a knock").ip, IpAddr::from([203, 0, 113, 7]));
}

proptest! {
    #[test]
    fn no_path_or_header_makes_it_panic(path in ".{0,200}", value in ".{0,100}") {
        let path = format!("/ws/chat/{path}");
        for name in ["host", "authorization", "cookie", "origin", "x-forwarded-for", "sec-websocket-key", "sec-websocket-protocol"] {
            drop(ask(&request(&path, &[(name, &value)])));
        }
    }
}
