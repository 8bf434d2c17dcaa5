//! What a delivery costs: one system call, whatever else its message takes. Counted by strace.

use std::time::Duration;

use crate::support::socket::Socket;
use crate::support::{Setup, eventually};

const MEMBERS: usize = 200;
const MESSAGES: usize = 20;
/// Calls of all kinds but deliveries that a message may take: its way in, the disk, the wake-ups
/// between. 24 were counted.
const BESIDES: usize = 60;

#[tokio::test]
async fn a_delivery_is_one_system_call_and_a_message_few_more() {
    let setup = Setup::direct();
    let trace = setup.dir().join("trace");
    let path = trace.to_str().expect("a path").to_owned();
    let server = setup.under(&["strace", "-D", "-f", "-s", "200", "-o", &path]).start().await;
    let mut members: Vec<Socket> = Vec::new();
    for _ in 0..MEMBERS {
        members.push(server.room("open").open().await);
    }
    // The first message of a room takes another way to the disk.
    for n in 0..=MESSAGES {
        let text = format!("marked-{n}-");
        members[n].say(&text).await;
        for member in &mut members {
            member.expect_value(&text.clone().into()).await;
        }
    }
    let last = format!("marked-{MESSAGES}-");
    let lines = eventually("the trace", Duration::from_secs(20), || async {
        let text = std::fs::read(&trace).map(|text| String::from_utf8_lossy(&text).into_owned());
        let lines: Vec<String> = text.unwrap_or_default().lines().map(str::to_owned).collect();
        let told = lines.iter().filter(|line| sends(line, &last)).count();
        if told >= MEMBERS { Ok(lines) } else { Err(format!("{told} deliveries")) }
    })
    .await;
    let from = lines.iter().position(|line| sends(line, "marked-0-")).expect("a first delivery");
    let to = lines.iter().rposition(|line| sends(line, &last)).expect("a last delivery");
    let from = from + lines[from..].iter().take_while(|line| !line.contains("marked-1-")).count();
    let calls = lines[from..=to].iter().filter(|line| !line.contains(" resumed>"));
    let (deliveries, others): (Vec<&String>, Vec<&String>) =
        calls.partition(|line| sends(line, "marked-"));
    println!("{} calls that deliver, {} others", deliveries.len(), others.len());
    assert_eq!(deliveries.len(), MEMBERS * MESSAGES);
    assert!(others.len() <= BESIDES * MESSAGES, "{} others, as {:?}", others.len(), &others[..50]);
}

fn sends(line: &str, marker: &str) -> bool {
    line.contains(marker)
        && (line.contains(" sendto(") || line.contains(" write"))
        && !line.contains("pwrite")
}
