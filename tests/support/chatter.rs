//! One who follows a room and may send to it too, on one socket after another, whatever ends them;
//! and how a crowd of such is told when to stop.

use std::future::pending;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::native::{Ended, Native};
use super::socket::Door;
use super::{Follower, Sender};

/// What the crowd does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Senders send.
    Talk,
    /// Senders send nothing new, until everything is answered.
    Stop,
    /// Everybody reads on until this event, then goes.
    Until(i64),
}

/// What a crowd has in common.
#[derive(Clone, Debug)]
pub struct Crowd {
    phase: watch::Sender<Phase>,
    answered: watch::Sender<usize>,
    idle: watch::Sender<usize>,
}

impl Crowd {
    /// One that talks.
    pub fn new() -> Self {
        let (phase, answered, idle) =
            (watch::Sender::new(Phase::Talk), watch::Sender::new(0), watch::Sender::new(0));
        Self { phase, answered, idle }
    }

    /// Tells everybody.
    pub fn is_to(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Whether it talks.
    pub fn talks(&self) -> bool {
        *self.phase.borrow() == Phase::Talk
    }

    /// How many `ok`s there were until now.
    pub fn answered(&self) -> usize {
        *self.answered.borrow()
    }

    /// Once there were so many `ok`s.
    pub async fn has_answers(&self, number: usize) {
        self.answered.subscribe().wait_for(|so_far| *so_far >= number).await.expect("they talk");
    }

    /// Once so many senders have stopped with everything answered.
    pub async fn has_idle(&self, number: usize) {
        self.idle.subscribe().wait_for(|so_far| *so_far >= number).await.expect("they talk");
    }
}

/// One of the crowd.
#[derive(Debug)]
pub struct Chatter {
    /// What it sends, if it does.
    pub sender: Option<Sender>,
    /// What it holds.
    pub follower: Follower,
    is_idle: bool,
}

impl Chatter {
    /// One who only follows.
    pub fn following(room: &str) -> Self {
        Self { sender: None, follower: Follower::of(room), is_idle: false }
    }

    /// One who also sends messages of this length.
    pub fn sending(name: &str, room: &str, len: usize) -> Self {
        Self::with(Sender::new(name, room, len), room)
    }

    /// One who is also this sender to the room.
    pub fn with(sender: Sender, room: &str) -> Self {
        Self { sender: Some(sender), ..Self::following(room) }
    }

    /// Joins on a fresh socket with what it holds, and sends again what has no answer.
    pub async fn enter(&mut self, socket: &mut Native) -> Result<(), Ended> {
        if let Some(sender) = &self.sender {
            sender.prove(socket).await?;
        }
        let joined = self.follower.join(socket).await?;
        match &mut self.sender {
            Some(sender) => sender.resend(socket, &joined).await,
            None => Ok(()),
        }
    }

    /// Takes part until the crowd is told to go, or the connection ends.
    pub async fn take_part(&mut self, socket: &mut Native, crowd: &Crowd) -> Result<(), Ended> {
        let mut phase = crowd.phase.subscribe();
        let mut turns = self.turns();
        loop {
            let now = *phase.borrow_and_update();
            if let Some(sender) = &mut self.sender {
                if now == Phase::Talk {
                    if turns.is_none() {
                        sender.fill(socket).await?;
                    }
                } else if sender.is_idle() && !self.is_idle {
                    self.is_idle = true;
                    crowd.idle.send_modify(|so_far| *so_far += 1);
                }
            }
            if matches!(now, Phase::Until(head) if self.follower.have() >= head) {
                return Ok(());
            }
            tokio::select! {
                frame = socket.try_next() => {
                    let frame: Value = frame?;
                    self.follower.hear(socket, &frame).await?;
                    if let Some(sender) = &mut self.sender
                        && sender.hear(socket, &frame).await?
                    {
                        crowd.answered.send_modify(|so_far| *so_far += 1);
                    }
                }
                () = next(&mut turns) => {
                    if let Some(sender) = &mut self.sender {
                        sender.turn(socket, now == Phase::Talk).await?;
                    }
                }
                _ = phase.changed() => {}
            }
        }
    }

    fn turns(&self) -> Option<Interval> {
        let every = self.sender.as_ref()?.pace()?;
        let mut turns = interval_at(Instant::now() + every, every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(turns)
    }

    /// Opens a socket and takes part; how that ended. Nobody there is an end without a code.
    pub async fn live(&mut self, door: &Door, crowd: &Crowd) -> Result<(), Ended> {
        let mut socket = door.try_hello().await.ok_or(None)?;
        self.enter(&mut socket).await?;
        self.take_part(&mut socket, crowd).await
    }
}

/// The next turn; never where there are none.
async fn next(turns: &mut Option<Interval>) {
    match turns {
        Some(turns) => drop(turns.tick().await),
        None => pending().await,
    }
}
