//! Sign-in at a real OpenID provider (`oidc-provider` under node), on loopback.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use instep::model::Access;
use serde_json::json;

use super::house::{Browser, House, Page, encoded};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A provider that ends with this value.
struct Provider {
    port: u16,
    process: Child,
}

impl Provider {
    fn start(back: &str, port: u16, more: &serde_json::Value) -> Self {
        let mut asked = json!({
            "port": port, "client": "instep", "secret": "not so secret",
            "back": format!("{back}/console/sign-in/oidc/done"),
            "after": format!("{back}/console/sign-in"),
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            asked[key] = value.clone();
        }
        let packages = Path::new(ROOT).join("target/tools/console");
        assert!(
            packages.join("node_modules/oidc-provider").exists(),
            "the OpenID provider is missing: deploy/install-tools.sh console"
        );
        let own = std::fs::read_dir(Path::new(ROOT).join("target/tools/node/node_modules"));
        let own = own.into_iter().flatten().flatten().map(|entry| entry.path().join("bin/node"));
        let node = own.into_iter().find(|node| node.exists()).unwrap_or_else(|| "node".into());
        let mut process = Command::new(node)
            .arg(Path::new(ROOT).join("tests/it/console/provider.mjs"))
            .arg(&packages)
            .arg(asked.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what a test provider may do.
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the provider says its port");
        Self { port, process }
    }

    fn stop(mut self) -> u16 {
        self.end();
        self.port
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.end();
    }
}

/// A house and its provider.
async fn both(more: serde_json::Value) -> (House, Provider) {
    let mut provider = None;
    let adjust = |text: &mut String, url: &str| {
        let started = Provider::start(url, 0, &more);
        let oidc = format!(
            "[console.oidc]\nissuer = \"http://127.0.0.1:{}\"\nclient_id = \"instep\"\n\
             client_secret = \"not so secret\"\n[source.bob]",
            started.port
        );
        *text = text.replace("local_accounts = true", "local_accounts = false");
        *text = text.replace("[source.bob]", &oidc);
        *text = text.replace(
            "client_secret = \"not so secret\"",
            "client_secret = \"not so secret\"\nviewers = [\"staff\"]\n\
             operators = [\"instep-operators\"]\nadministrators = [\"root\", \"eva@example.com\"]",
        );
        provider = Some(started);
    };
    let house = House::with(adjust, false).await;
    (house, provider.expect("started"))
}

/// Goes to the provider, signs in there as somebody, and comes back: the way back.
async fn there(browser: &mut Browser, start: &str, login: &str) -> String {
    let away = browser.get(start).await;
    assert_eq!(away.status, 303, "{}", away.body);
    let origin = reqwest::Url::parse(&away.to).expect("a URL").origin().ascii_serialization();
    let mut provider = Browser::at(&origin);
    let mut page = provider.get(&away.to).await;
    for _ in 0..12 {
        if page.to.starts_with(&browser.url) {
            return page.to;
        }
        page = if page.to.is_empty() {
            let prompt = if page.body.contains("value=\"login\"") { "login" } else { "consent" };
            let action = page.body.split("action=\"").nth(1).and_then(|it| it.split('"').next());
            let action = action.unwrap_or_else(|| panic!("a form: {}", page.body)).to_owned();
            let form = [("prompt", prompt), ("login", login), ("password", "any")];
            provider.post(&action, &encoded(&form)).await
        } else {
            let to = page.to.clone();
            provider.get(&to).await
        };
    }
    panic!("the provider never sent anybody back: {page:?}");
}

async fn sign_in(browser: &mut Browser, login: &str) -> Page {
    let back = there(browser, "/console/sign-in/oidc?to=/console%3Fx%3D1", login).await;
    browser.get(&back).await
}

#[tokio::test]
async fn somebody_signs_in_there_and_out_again() {
    let (house, provider) = both(json!({})).await;
    let mut browser = house.browser();
    let page = browser.get("/console/sign-in?to=/console%3Fx%3D1").await;
    assert!(page.body.contains("/console/sign-in/oidc?to=/console%3Fx%3D1"), "{}", page.body);
    assert!(!page.body.contains("password"), "there are no local accounts: {}", page.body);
    assert_eq!(browser.sign_in("anna", "x").await.status, 404);

    let back = there(&mut browser, "/console/sign-in/oidc?to=/console%3Fx%3D1", "anna+staff").await;
    let kept = browser.cookies.clone();
    let entered = browser.get(&back).await;
    assert_eq!((entered.status, entered.to.as_str()), (303, "/console?x=1"), "{}", entered.body);
    assert!(browser.is_in().await);
    assert_eq!(browser.cookies.len(), 1, "what was under way is over: {:?}", browser.cookies);
    let audit = house.audit().await;
    let told = audit.last().expect("an entry");
    assert_eq!((told.who.as_str(), told.access), ("anna@example.com", Access::Viewer));

    let mut thief = house.browser();
    let stolen = thief.get(&back).await;
    assert_eq!(stolen.status, 403);
    assert!(stolen.body.contains("begun in another browser"), "{}", stolen.body);
    thief.cookies = kept;
    assert_eq!(thief.get(&back).await.status, 403, "a code is good for one time");

    let left = browser.post("/console/sign-out", "").await;
    assert_eq!(left.to, "/console/sign-in?out=provider");
    assert!(browser.get(&left.to).await.body.contains("/console/sign-in/oidc/out"));
    let out = browser.get("/console/sign-in/oidc/out").await;
    let end = format!("http://127.0.0.1:{}/session/end?", provider.port);
    assert!(out.to.starts_with(&end) && out.to.contains("client_id=instep"), "{}", out.to);
    assert!(out.to.contains("post_logout_redirect_uri="), "{}", out.to);
    assert_eq!(Browser::at(&house.url).get(&out.to).await.status, 200, "it knows the way back");
}

#[tokio::test]
async fn what_the_provider_tells_decides_what_they_may() {
    let (house, _provider) = both(json!({})).await;
    for (login, access) in [
        ("anna+staff", Access::Viewer),
        ("otto+staff+instep-operators", Access::Operator),
        ("rosa+root+staff", Access::Administrator),
    ] {
        let mut browser = house.browser();
        assert_eq!(sign_in(&mut browser, login).await.status, 303, "{login}");
        assert_eq!(house.audit().await.last().map(|it| it.access), Some(access), "{login}");
    }
    for (login, why) in [
        ("nils", "does not tell `groups` of you"),
        ("nils+others", "nothing in your `groups` lets you in"),
        ("nils!+root", "has not verified your mail address"),
    ] {
        let mut browser = house.browser();
        let page = sign_in(&mut browser, login).await;
        assert_eq!(page.status, 403, "{login}");
        assert!(page.body.contains(why) && !page.body.contains("nils"), "{login}: {}", page.body);
        assert!(!browser.is_in().await, "{login}");
    }
    let told = house.audit().await;
    let said = told.last().and_then(|it| it.outcome.as_deref()).unwrap_or_default();
    assert!(told.last().is_some_and(|it| it.refused) && said.contains("verified"), "{said}");
}

#[tokio::test]
async fn other_keys_other_algorithms_and_other_ways_to_show_the_secret() {
    let (house, provider) = both(json!({ "post": true })).await;
    assert_eq!(sign_in(&mut house.browser(), "anna+staff").await.status, 303);
    // It comes back with other keys, and it is more than a minute later.
    let port = provider.stop();
    let _provider = Provider::start(&house.url, port, &json!({ "post": true }));
    house.later(1);
    house.clock.advance(std::time::Duration::from_secs(1));
    let page = sign_in(&mut house.browser(), "anna+staff").await;
    assert_eq!(page.status, 303, "{}", page.body);

    let (house, _provider) = both(json!({ "alg": "ES256" })).await;
    let page = sign_in(&mut house.browser(), "anna+staff").await;
    assert_eq!(page.status, 303, "{}", page.body);
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_plain_words() {
    let (house, provider) = both(json!({ "secret": "another one" })).await;
    let mut browser = house.browser();
    let page = sign_in(&mut browser, "anna+staff").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("does not know this console"), "{}", page.body);
    let port = provider.stop();

    let provider = Provider::start(&house.url, port, &json!({}));
    let back = there(&mut browser, "/console/sign-in/oidc", "anna+staff").await;
    house.later(90);
    let page = browser.get(&back).await;
    assert!(page.body.contains("ID token of another time"), "{} {}", page.status, page.body);

    for (query, status, said) in [
        ("error=access_denied&state=x", 403, "did not sign you in (access_denied)"),
        ("error=%3Cscript%3E%0D%0A", 403, "did not sign you in (script)"),
        ("code=x&state=x", 403, "begun in another browser"),
        ("", 403, "begun in another browser"),
    ] {
        let mut browser = house.browser();
        browser.get("/console/sign-in/oidc").await;
        let page = browser.get(&format!("/console/sign-in/oidc/done?{query}")).await;
        assert_eq!(page.status, status, "{query}");
        assert!(page.body.contains(said), "{query}: {}", page.body);
        assert!(!browser.is_in().await);
    }
    provider.stop();
    house.later(120);
    let page = house.browser().get("/console/sign-in/oidc").await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("The OpenID provider cannot be reached."), "{}", page.body);
}
