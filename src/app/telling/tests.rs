//! What a channel is told of what a look showed.

use super::*;

const MANNERS: Manners = Manners {
    quiet: Duration::from_secs(3_600),
    group: Duration::from_secs(60),
    remind: Duration::from_secs(86_400),
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time") + Duration::from_secs(seconds)
}

fn notice(topic: Topic, about: &str, phase: Phase) -> Notice {
    let title = format!("{about} {phase:?}");
    Notice {
        topic,
        about: about.to_owned(),
        phase,
        worse: false,
        title,
        lines: vec![],
        todo: None,
        link: None,
    }
}

/// What is told after a look, as titles.
fn told(shelf: &mut Shelf, notices: &[Notice], seconds: u64) -> Vec<String> {
    shelf.take(notices, at(seconds), &MANNERS);
    let Some(group) = shelf.quiet.due(at(seconds), &MANNERS) else { return Vec::new() };
    shelf.quiet.told(at(seconds), &MANNERS);
    group.notices.into_iter().map(|notice| notice.title).collect()
}

#[test]
fn what_is_not_there_any_more_has_ended() {
    let mut shelf = Shelf::default();
    let held = notice(Topic::Hold, "source bob", Phase::Began);
    assert_eq!(told(&mut shelf, std::slice::from_ref(&held), 0), [""; 0], "it waits for others");
    assert_eq!(told(&mut shelf, std::slice::from_ref(&held), 60), ["source bob Began"]);
    assert_eq!(told(&mut shelf, std::slice::from_ref(&held), 600), [""; 0], "told once");
    assert_eq!(told(&mut shelf, &[], 700), [""; 0]);
    assert_eq!(told(&mut shelf, &[], 760), ["The source bob is back"]);
    assert_eq!(told(&mut shelf, &[], 900), [""; 0]);
}

#[test]
fn an_end_that_is_known_better_is_told_as_it_is() {
    let mut shelf = Shelf::default();
    let about = "bob/deactivate/019a";
    let held = [notice(Topic::Brake, about, Phase::Began)];
    told(&mut shelf, &held, 0);
    assert_eq!(told(&mut shelf, &held, 60), ["bob/deactivate/019a Began"]);
    let expired = [notice(Topic::Brake, about, Phase::Ended)];
    told(&mut shelf, &expired, 200);
    assert_eq!(told(&mut shelf, &expired, 260), ["bob/deactivate/019a Ended"]);
}

#[test]
fn what_never_began_has_no_end() {
    let mut shelf = Shelf::default();
    let fine = [notice(Topic::Certificate, "bob", Phase::Ended)];
    told(&mut shelf, &fine, 0);
    assert_eq!(told(&mut shelf, &fine, 3_600), [""; 0]);
    assert_eq!(shelf, Shelf { quiet: shelf.quiet.clone(), ..Shelf::default() });
}
