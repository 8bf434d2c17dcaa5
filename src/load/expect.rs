//! What must hold in the end, as one writes it: `p99<50ms,reach=1,gaps=0`. Pure. Read before a run
//! begins, so that a mistake costs nothing; decides the exit code after it.

use super::report::{FIGURES, Figure, Report};
use super::span::Span;

type Compare = fn(f64, f64) -> bool;

/// Comparisons, the longer ones first.
const SIGNS: &[(&str, Compare)] = &[
    ("<=", |is, than| is <= than),
    (">=", |is, than| is >= than),
    ("<", |is, than| is < than),
    (">", |is, than| is > than),
    ("=", |is, than| (is - than).abs() < 1e-12),
];

/// One condition.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    figure: Figure,
    holds: Compare,
    than: f64,
}

/// A condition and what became of it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Outcome {
    /// As it was written.
    pub condition: String,
    /// What the figure was.
    pub was: f64,
    /// Whether it held.
    pub held: bool,
}

/// Reads conditions, with commas between them.
///
/// # Errors
/// Which one makes no sense, and what would.
pub fn read(text: &str) -> Result<Vec<Condition>, String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(one).collect()
}

fn one(text: &str) -> Result<Condition, String> {
    let found = SIGNS.iter().find_map(|(sign, holds)| {
        text.split_once(sign).map(|(name, than)| (name.trim(), than.trim(), *holds))
    });
    let (name, than, holds) = found.ok_or_else(|| {
        format!("{text:?} is no expectation: write a figure, one of < <= = >= > and a value, as p99<50ms")
    })?;
    let figure = FIGURES.iter().find(|(known, _)| *known == name).map(|(_, figure)| *figure);
    let figure = figure.ok_or_else(|| {
        let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        format!("{name:?} is no figure that can be expected: {}", names.join(", "))
    })?;
    let than = match (than.parse::<f64>(), than.parse::<Span>()) {
        (Ok(number), _) if number.is_finite() => number,
        (_, Ok(span)) => span.as_secs() * 1e3,
        _ => {
            return Err(format!(
                "{than:?} in {text:?} is no value: a number, or for times one with its unit, as 50ms"
            ));
        }
    };
    Ok(Condition { text: text.to_owned(), figure, holds, than })
}

impl Condition {
    /// Whether it held.
    #[must_use]
    pub fn of(&self, report: &Report) -> Outcome {
        let was = (self.figure)(report);
        Outcome { condition: self.text.clone(), was, held: (self.holds)(was, self.than) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_with_units() {
        let read =
            read("p99<50ms, reach=1,gaps=0,deliveries_per_s>=1e3,ok.p99<=1s").expect("right");
        let than: Vec<f64> = read.iter().map(|condition| condition.than).collect();
        assert_eq!(than, [50.0, 1.0, 0.0, 1_000.0, 1_000.0]);
        assert!((read[3].holds)(1_000.0, 1_000.0) && !(read[0].holds)(50.0, 50.0));
    }

    #[test]
    fn a_wrong_one_says_what_is_right() {
        for (text, said) in [
            ("p99", "is no expectation"),
            ("p98<5ms", "p50, p90, p99"),
            ("p99<fast", "a number, or for times"),
            ("p99<inf", "a number"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(said), "{why}");
        }
    }
}
