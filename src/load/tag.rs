//! What each message's text begins with, so that a delivery is known by its bytes alone: which run,
//! which sender, which of his messages, when it was due. Pure. Found in a frame without reading it
//! as JSON: it holds nothing that JSON escapes, whatever else a server puts around it.

use memchr::memmem::Finder;

/// Bytes of a tag; no message is shorter.
pub const TAG_BYTES: usize = HEAD + 28;

/// `hb~`, the run's six letters, a colon.
const HEAD: usize = 10;
/// Letters of a run's name.
const RUN: usize = 6;
/// What follows the tag up to the message's length.
const FILLER: u8 = b'.';

/// A message's identity within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Who sent it: the room's number times senders a room, and his place among them.
    pub sender: u32,
    /// His messages, counted from 0.
    pub number: u32,
    /// When it was due, in microseconds since the run's clock began.
    pub due_us: u64,
}

/// Knows the tags of one run, and no others.
#[derive(Debug)]
pub struct Tags {
    head: [u8; HEAD],
    finder: Finder<'static>,
}

impl Tags {
    /// Of the run with this name: six letters or digits.
    #[must_use]
    pub fn new(run: &str) -> Self {
        let mut head = *b"hb~______:";
        for (to, from) in head[3..3 + RUN].iter_mut().zip(run.bytes()) {
            *to = from;
        }
        Self { head, finder: Finder::new(&head).into_owned() }
    }

    /// Appends a message's text, `len` bytes of it.
    pub fn write(&self, tag: Tag, len: usize, out: &mut Vec<u8>) {
        let end = out.len() + len.max(TAG_BYTES);
        out.extend_from_slice(&self.head);
        hex(u64::from(tag.sender), 8, out);
        hex(u64::from(tag.number), 8, out);
        hex(tag.due_us, 12, out);
        out.resize(end, FILLER);
    }

    /// The first tag in these bytes, and where what follows it begins.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(Tag, usize)> {
        let mut from = 0;
        loop {
            let digits = from + self.finder.find(&bytes[from..])? + HEAD;
            if let Some(tag) = bytes.get(digits..digits + TAG_BYTES - HEAD).and_then(read) {
                return Some((tag, digits + TAG_BYTES - HEAD));
            }
            from = digits;
        }
    }
}

fn read(digits: &[u8]) -> Option<Tag> {
    let (sender, rest) = digits.split_at_checked(8)?;
    let (number, due) = rest.split_at_checked(8)?;
    Some(Tag {
        sender: u32::try_from(unhex(sender)?).ok()?,
        number: u32::try_from(unhex(number)?).ok()?,
        due_us: unhex(due)?,
    })
}

/// Appends the lowest `digits` hexadecimal digits of a number.
pub fn hex(number: u64, digits: u32, out: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * place) & 15) as usize]);
    }
}

/// Reads hexadecimal digits, at most 16, as [`hex`] writes them.
#[must_use]
pub fn unhex(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        number = number << 4 | u64::from(value);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag { sender: 7, number: 0xFFFF_FFFF, due_us: 123_456_789 };

    #[test]
    fn a_tag_is_found_again_wherever_it_stands() {
        let tags = Tags::new("abc123");
        let mut text = br#"{"message":{"message":""#.to_vec();
        let before = text.len();
        tags.write(TAG, 128, &mut text);
        assert_eq!(text.len() - before, 128);
        text.extend(br#"","nick_name":"x"}}"#);
        assert_eq!(tags.find(&text), Some((TAG, before + TAG_BYTES)));
        let mut twice = text.clone();
        tags.write(Tag { number: 1, ..TAG }, 0, &mut twice);
        let (_, end) = tags.find(&twice).expect("the first");
        assert_eq!(tags.find(&twice[end..]).map(|(tag, _)| tag.number), Some(1));
    }

    #[test]
    fn another_runs_tag_and_half_a_tag_are_none() {
        let tags = Tags::new("abc123");
        let mut text = Vec::new();
        tags.write(TAG, 0, &mut text);
        assert_eq!(text.len(), TAG_BYTES);
        assert_eq!(Tags::new("abc124").find(&text), None);
        assert_eq!(tags.find(&text[..TAG_BYTES - 1]), None);
        assert_eq!(tags.find(b"hb~abc123:not hexadecimal digits at all"), None);
        assert_eq!(
            tags.find(&[&b"hb~abc123:"[..], &text].concat()).map(|found| found.0),
            Some(TAG)
        );
    }
}
