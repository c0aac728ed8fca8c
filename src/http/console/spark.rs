//! A small chart of the last hours, with the same in words.

/// How many units high and wide it is drawn; the page scales it.
const HIGH: u64 = 24;
const STEP: usize = 5;

/// Bars, one an hour.
pub struct Spark {
    pub width: usize,
    pub height: u64,
    pub bars: Vec<Bar>,
    /// For whoever does not see it.
    pub words: String,
}

/// One bar.
pub struct Bar {
    pub x: usize,
    pub y: u64,
    pub height: u64,
}

impl Spark {
    /// Of counts, the oldest first.
    pub fn of(counts: &[u64]) -> Self {
        let most = counts.iter().copied().max().unwrap_or(0);
        let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let bar = |(index, count): (usize, &u64)| {
            // Whatever there is can be seen.
            let height = (u128::from(*count) * u128::from(HIGH) / u128::from(most.max(1))).max(2);
            let height = u64::try_from(height).unwrap_or(HIGH);
            Bar { x: index * STEP, y: HIGH - height.min(HIGH), height }
        };
        let total = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
        let hours = counts.len();
        let words = match total {
            0 => format!("none in the last {hours} hours"),
            _ => format!("{total} in the last {hours} hours, at most {most} in one"),
        };
        Self { width: hours.max(1) * STEP, height: HIGH, bars: bars.map(bar).collect(), words }
    }
}

#[cfg(test)]
mod tests {
    use super::Spark;

    #[test]
    fn bars_stay_in_their_box_whatever_is_counted() {
        for counts in [vec![], vec![0; 24], vec![1, u64::MAX, 0], vec![3, 1, 2]] {
            let spark = Spark::of(&counts);
            assert!(spark.bars.iter().all(|bar| bar.y + bar.height == 24), "{counts:?}");
            assert!(spark.bars.iter().all(|bar| bar.x + 4 <= spark.width), "{counts:?}");
        }
        assert_eq!(Spark::of(&[3, 1, 2]).words, "6 in the last 3 hours, at most 3 in one");
        assert_eq!(Spark::of(&[0; 24]).words, "none in the last 24 hours");
    }
}
