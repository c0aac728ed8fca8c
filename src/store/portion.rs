//! Portions: how much of a run is written in one step, so that memory stays bounded and others are
//! served in between.

use super::seal::{Keys, Place};
use crate::model::{Item, RunId};

/// So many items at most.
const MOST: usize = 500;
/// No further item is added to so many bytes.
const BYTES: usize = 256 * 1024;

/// Items with their numbers in their stored form, a portion at a time. Each is written when its
/// turn comes, not before.
pub(super) fn portions(
    run: &RunId,
    items: &[Item],
    keys: &Keys,
) -> impl Iterator<Item = Vec<(u64, String)>> {
    let mut left = items.iter();
    std::iter::from_fn(move || {
        let (mut portion, mut bytes) = (Vec::new(), 0);
        while portion.len() < MOST && bytes < BYTES {
            let Some(item) = left.next() else { break };
            let text = keys.write(&Place::item(run, item.number), item);
            bytes += text.len();
            portion.push((item.number, text));
        }
        (!portion.is_empty()).then_some(portion)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ItemState;

    fn item(number: u64, name: &str) -> Item {
        Item {
            number,
            employee: None,
            name: name.into(),
            account: None,
            kind: None,
            drift: Vec::new(),
            blame: None,
            state: ItemState::Told,
            again: Vec::new(),
        }
    }

    fn sizes(items: &[Item]) -> Vec<usize> {
        let mut numbers = 1..;
        portions(&RunId::new("r"), items, &Keys::none())
            .map(|portion| {
                assert!(portion.iter().all(|(number, _)| Some(*number) == numbers.next()));
                portion.len()
            })
            .collect()
    }

    #[test]
    fn a_portion_is_bounded_in_number_and_bytes() {
        let small: Vec<_> = (1..=1_200).map(|n| item(n, "Zoë")).collect();
        assert_eq!(sizes(&small), [500, 500, 200]);
        let large: Vec<_> = (1..=5).map(|n| item(n, &"x".repeat(BYTES / 2))).collect();
        assert_eq!(sizes(&large), [2, 2, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }
}
