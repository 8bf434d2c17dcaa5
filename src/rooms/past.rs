//! What a socket gets first of a room's past, as frames. Made by `joining` once it has read what
//! the window lacks.

use std::sync::Arc;

use crate::protocol::native::{self, Joined, Me};
use crate::protocol::{Dialect, Frame, Opening};

use super::joining::Wants;
use super::kept::Kept;
use super::others::Everywhere;
use super::resume::{Page, Resume};
use super::seat::Seat;
use super::state::RoomState;
use super::stays::Since;

/// The past as far as a socket wants it.
pub(super) enum Past {
    Messages(Vec<Arc<Kept>>),
    Page(Page),
}

impl Past {
    /// Where a socket that gets this comes in.
    pub fn since(&self, wants: &Wants, head: i64) -> Since {
        let rows = match (self, wants) {
            (_, Wants::Opening(Opening::Nothing)) => &[],
            (Self::Messages(rows), _) => rows.as_slice(),
            (Self::Page(page), _) => page.events.as_slice(),
        };
        let replayed = rows.first().zip(rows.last()).map(|(first, last)| (first.seq, last.seq));
        Since { head, replayed }
    }

    /// As frames, whatever goes around them included.
    pub fn frames(
        &self,
        wants: &Wants,
        seat: &Seat,
        state: &RoomState,
        here: Everywhere,
    ) -> Vec<Frame> {
        match (self, wants) {
            (Self::Messages(latest), Wants::Opening(opening)) => {
                opening_frames(*opening, seat.dialect, latest, state)
            }
            (Self::Page(page), Wants::Resume(resume)) => {
                joined_frames(page, resume, seat, state, here)
            }
            _ => Vec::new(),
        }
    }
}

fn opening_frames(
    opening: Opening,
    dialect: Dialect,
    latest: &[Arc<Kept>],
    state: &RoomState,
) -> Vec<Frame> {
    match opening {
        Opening::Nothing => Vec::new(),
        Opening::History => vec![dialect.history(latest.iter().map(|kept| &***kept))],
        Opening::Frames => {
            latest.iter().filter_map(|event| dialect.say_again(event, state.words())).collect()
        }
    }
}

fn joined_frames(
    page: &Page,
    resume: &Resume,
    seat: &Seat,
    state: &RoomState,
    here: Everywhere,
) -> Vec<Frame> {
    let user = seat.user();
    let joined = Joined {
        chat_id: state.row().id,
        name: &state.words().name,
        kind: state.row().kind,
        epoch: &state.row().epoch,
        seq: state.head(),
        verdict: page.verdict,
        from: page.from,
        to: page.to,
        more: page.more,
        active_users: here.people,
        sessions: here.sessions,
        me: Me {
            user_id: user.map(|user| user.0),
            nick_name: seat.nick_name.as_deref(),
            role: user.and_then(|user| state.role(user)),
            read_seq: user.map_or(0, |user| state.read_seq(user)),
        },
        guest_token: resume.guest_token.as_deref(),
    };
    let mut frames = vec![native::joined(resume.reference.as_deref(), &joined)];
    frames.extend(page.events.iter().filter_map(|kept| kept.replay()));
    frames.push(native::live(state.row().id, state.head()));
    frames
}
