//! What stands before every page: nobody gets in unseen, nothing is done for another site.

use std::fs;
use std::path::Path;

use instep::model::Access;
use reqwest::Method;

use super::house::House;

/// Every path under `/console` and `/api` that some file of `src/http` names a route for.
fn routes() -> Vec<String> {
    fn collect(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let after = text.split(".route(").skip(1);
                let literal = |rest: &str| {
                    let rest = rest.trim_start().strip_prefix('"')?;
                    rest.split_once('"').map(|(path, _)| path.to_owned())
                };
                found.extend(after.filter_map(literal));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut found);
    found.retain(|path| path.starts_with("/console") || path.starts_with("/api"));
    found.sort();
    found.dedup();
    found
}

/// What strangers may ask for.
fn is_for_strangers(path: &str) -> bool {
    path.starts_with("/console/sign-in")
        || path == "/console/sign-out"
        || path.starts_with("/console/assets/")
}

#[tokio::test]
async fn no_route_answers_who_is_not_signed_in() {
    let with_api =
        |text: &mut String, _: &str| *text = text.replace("[console]", "[console]\napi = true");
    let house = House::with(with_api, false).await;
    let routes = routes();
    assert!(routes.len() > 3 && routes.contains(&"/console".to_owned()), "{routes:?}");
    for route in routes.iter().filter(|route| !is_for_strangers(route)) {
        let path: String = route
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
            let mut stranger = house.browser();
            stranger.cookies.insert("instep".to_owned(), "0".repeat(64));
            let page = stranger.send(method.clone(), &path, None, &[]).await;
            let barred = page.is_sign_in() || [401, 405].contains(&page.status);
            assert!(barred, "{method} {path}: {} {}", page.status, page.body);
            assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        }
    }
    let mut stranger = house.browser();
    let events = [("Accept", "text/event-stream")];
    assert_eq!(stranger.send(Method::GET, "/console", None, &events).await.status, 401);
}

#[tokio::test]
async fn without_a_way_to_sign_in_there_is_no_console() {
    let off = |text: &mut String, _: &str| {
        *text = text.replace("local_accounts = true", "local_accounts = false");
    };
    let house = House::with(off, false).await;
    for path in ["/console", "/console/sign-in", "/console/sign-in/oidc", "/console/unmask"] {
        for method in [Method::GET, Method::POST] {
            let status = house.browser().send(method, path, None, &[]).await.status;
            assert!([404, 405].contains(&status), "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn nothing_is_done_for_another_sites_page() {
    let house = House::open().await;
    house.user("anna", Access::Operator).await;
    let mut browser = house.signed_in("anna").await;
    let form = || Some("about=x&to=/console".to_owned());
    let own = house.url.clone();
    for (name, value, status) in [
        ("Sec-Fetch-Site", "same-origin", 303),
        ("Sec-Fetch-Site", "none", 303),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Origin", own.as_str(), 303),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
    ] {
        let page = browser.send(Method::POST, "/console/unmask", form(), &[(name, value)]).await;
        assert_eq!(page.status, status, "{name}: {value}");
    }
    // Neither does it sign anybody in or out.
    let cross = [("Sec-Fetch-Site", "cross-site")];
    for path in ["/console/sign-in", "/console/sign-out"] {
        let page = browser.send(Method::POST, path, Some(String::new()), &cross).await;
        assert_eq!(page.status, 403, "{path}");
    }
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn pages_are_strict() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    let mut browser = house.signed_in("anna").await;
    for path in ["/console", "/console/sign-in", "/console/unmask"] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), value, "{path}");
        }
        assert!(page.header("permissions-policy").contains("camera=()"));
        assert_eq!(page.header("strict-transport-security"), "", "not over plain http");
        for word in ["<style", " style=", " onclick", "<script>"] {
            assert!(!page.body.contains(word), "{path} has {word}");
        }
    }
}

#[tokio::test]
async fn the_demo_is_open_and_only_under_this_machines_own_names() {
    let house = House::with(|_, _| {}, true).await;
    let mut browser = house.browser();
    assert!(browser.is_in().await);
    let page = browser.get("/console/sign-in").await;
    assert_eq!((page.status, page.to.as_str()), (303, "/console"));
    for (host, status) in [("localhost:1", 200), ("evil.example", 421), ("instep", 421)] {
        let page = browser.send(Method::GET, "/console", None, &[("Host", host)]).await;
        assert_eq!(page.status, status, "{host}");
    }
    let cross = [("Sec-Fetch-Site", "cross-site")];
    let form = Some("about=x&to=/console".to_owned());
    let page = browser.send(Method::POST, "/console/unmask", form.clone(), &cross).await;
    assert_eq!(page.status, 403);
    assert_eq!(browser.send(Method::POST, "/console/unmask", form, &[]).await.status, 303);
}
