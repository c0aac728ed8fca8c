//! Telling people: mail to a real mail server, chats to a server of the test's own.

mod chat;
mod mail;

use instep::notify::{Group, Notice, Phase, Topic};

/// Two notices and some that had no place.
fn group() -> Group {
    let held = Notice {
        topic: Topic::Brake,
        about: "bob/deactivate".to_owned(),
        phase: Phase::Began,
        worse: false,
        title: "43 deactivations held".to_owned(),
        lines: vec!["The brake lets 23 pass <of> 1,150 & no more.".to_owned()],
        todo: Some("`instep runs show 019aa3c1` shows who.".to_owned()),
        link: Some("https://instep.norvane.example/runs/019aa3c1".to_owned()),
    };
    let back = Notice {
        topic: Topic::Hold,
        about: "lms".to_owned(),
        phase: Phase::Ended,
        worse: false,
        title: "360Learning is back".to_owned(),
        lines: Vec::new(),
        todo: None,
        link: None,
    };
    Group { notices: vec![held, back], more: 3 }
}
