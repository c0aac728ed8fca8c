//! Sign-in with a name and a password.

use instep::model::{Access, Verb};

use super::house::{House, PASSWORD, encoded};

#[tokio::test]
async fn somebody_signs_in_and_out() {
    let house = House::open().await;
    house.user("anna", Access::Operator).await;
    let mut browser = house.browser();

    let stranger = browser.get("/console?x=1").await;
    assert!(stranger.is_sign_in(), "{stranger:?}");
    assert_eq!(stranger.to, "/console/sign-in?to=/console%3Fx%3D1");
    let page = browser.get(&stranger.to).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains(r#"name="to" value="/console?x=1""#), "{}", page.body);
    assert!(!page.body.contains("oidc"), "there is no provider: {}", page.body);

    let form = [("name", " Anna "), ("password", PASSWORD), ("to", "/console?x=1")];
    let entered = browser.post("/console/sign-in", &encoded(&form)).await;
    assert_eq!((entered.status, entered.to.as_str()), (303, "/console?x=1"));
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("instep=") && cookie.contains("; HttpOnly; SameSite=Lax"));
    assert!(!cookie.contains("Secure"), "plain http on loopback: {cookie}");
    assert!(browser.is_in().await);

    let kept = browser.cookies.clone();
    let left = browser.post("/console/sign-out", "").await;
    assert_eq!((left.status, left.to.as_str()), (303, "/console/sign-in?out=here"));
    assert!(browser.cookies.is_empty());
    assert!(browser.get(&left.to).await.body.contains("You are signed out"));
    browser.cookies = kept;
    assert!(!browser.is_in().await, "the session is over, not only forgotten by the browser");

    let audit = house.audit().await;
    let told: Vec<_> =
        audit.iter().map(|it| (it.verb.as_str(), it.who.as_str(), it.from.as_deref())).collect();
    let here = Some("127.0.0.1");
    assert_eq!(told, [("sign_in", "anna", here), ("sign_out", "anna", here)]);
}

#[tokio::test]
async fn over_https_the_cookie_is_for_this_host_and_https_alone() {
    let https = |text: &mut String, url: &str| {
        *text = text.replace(url, "https://instep.example.com");
    };
    let house = House::with(https, false).await;
    house.user("anna", Access::Viewer).await;
    let mut browser = house.browser();
    let entered = browser.sign_in("anna", PASSWORD).await;
    let cookie = entered.header("set-cookie");
    assert!(cookie.starts_with("__Host-instep=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(entered.header("strict-transport-security"), "max-age=31536000");
    assert!(browser.is_in().await);
}

#[tokio::test]
async fn who_is_not_known_and_who_is_wrong_are_told_the_same() {
    let house = House::open().await;
    house.user("anna", Access::Administrator).await;
    let verb = Verb::SaveUser { name: "new".into(), access: Access::Viewer, password: None };
    house.act(verb).await;
    let mut pages = Vec::new();
    for (name, password) in [("anna", "wrong wrong wrong"), ("bert", PASSWORD), ("new", "")] {
        let mut browser = house.browser();
        let page = browser.sign_in(name, password).await;
        assert_eq!(page.status, 403, "{name}");
        assert!(browser.cookies.is_empty(), "{name}");
        assert!(!page.body.contains(password) || password.is_empty());
        pages.push(page.body.replace(&format!(r#"value="{name}""#), ""));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
    assert!(pages[0].contains("The name or the password is wrong."), "{}", pages[0]);
    let audit = house.audit().await;
    let told: Vec<_> = audit.iter().map(|it| (it.who.as_str(), it.refused)).collect();
    assert_eq!(told, [("anna", true), ("unknown", true), ("new", true)]);
}

#[tokio::test]
async fn guessing_ends_soon_and_locks_nobody_else_out() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    let mut guesser = house.browser().from("203.0.113.9");
    let mut refused = None;
    for guess in 0..20 {
        let page = guesser.sign_in("anna", &format!("guess number {guess}")).await;
        if page.status == 429 {
            refused = Some((guess, page));
            break;
        }
        assert_eq!(page.status, 403);
    }
    let (tries, page) = refused.expect("an end");
    assert_eq!(tries, 6);
    let wait: u64 = page.header("retry-after").parse().expect("when to come again");
    assert!((1..=600).contains(&wait), "{wait}");
    assert!(page.body.contains("Too many tries: come back in"), "{}", page.body);
    assert_eq!(guesser.sign_in("anna", PASSWORD).await.status, 429, "not even with the right one");

    // Whoever invents a list of proxies is still who they are.
    let mut liar = house.browser().from("198.51.100.1, 203.0.113.9");
    assert_eq!(liar.sign_in("anna", PASSWORD).await.status, 429);
    // Anna herself comes from elsewhere.
    let mut anna = house.browser().from("192.0.2.44");
    assert_eq!(anna.sign_in("anna", PASSWORD).await.status, 303);
    let audit = house.audit().await;
    assert_eq!(audit.last().and_then(|it| it.from.as_deref()), Some("192.0.2.44"));
    house.later(10);
    assert_eq!(guesser.sign_in("anna", PASSWORD).await.status, 303, "and it ends");
}

#[tokio::test]
async fn a_stranger_does_not_fill_the_audit_log() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    for guess in 0..45 {
        let mut browser = house.browser().from(&format!("203.0.113.{guess}"));
        let page = browser.sign_in(&format!("name{guess}"), "x").await;
        assert_eq!(page.status, 403);
    }
    let audit = house.audit().await;
    assert_eq!(audit.len(), 30, "the others are counted");
    assert_eq!(house.signed_in("anna").await.cookies.len(), 1);
    let told = house.audit().await;
    let said = told.last().and_then(|it| it.outcome.clone()).expect("an outcome");
    assert!(said.contains("15 more did not get in"), "{said}");
}

#[tokio::test]
async fn what_is_sent_instead_of_a_form_does_no_harm() {
    let house = House::open().await;
    house.user("anna", Access::Administrator).await;
    let long = "x".repeat(7000);
    let huge = format!("name=anna&password={}", "x".repeat(9000));
    let name_too_long = format!("name={long}&password={long}");
    let bodies = [
        "",
        "name=anna",
        "password=three+words+and+a+half",
        "name=anna&name=bert&password=x",
        "name[]=anna&password[]=x",
        "name=%00&password=%00",
        "name=%ff%fe&password=%ff",
        "name=anna%0d%0aSet-Cookie:+a=b&password=x",
        "name=<script>alert(1)</script>&password=x",
        "name='+OR+1=1--&password='+OR+1=1--",
        "name=user:anna&password=x",
        "name=../anna&password=x",
        "%%%%=%%%&&&&===",
        "{\"name\":\"anna\",\"password\":\"x\"}",
        &name_too_long,
        &huge,
    ];
    for (number, body) in bodies.iter().enumerate() {
        let mut browser = house.browser().from(&format!("203.0.113.{number}"));
        let page = browser.post("/console/sign-in", body).await;
        let shown: String = body.chars().take(60).collect();
        assert!([400, 403, 413].contains(&page.status), "{} for {shown}", page.status);
        assert!(browser.cookies.is_empty(), "{shown}");
        assert!(!page.body.contains("<script>"), "{shown}");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    }
    let as_json = [("Content-Type", "application/json")];
    let mut browser = house.browser();
    let body = Some("{}".to_owned());
    let page = browser.send(reqwest::Method::PUT, "/console/sign-in", body, &as_json).await;
    assert_eq!(page.status, 405);
    assert_eq!(house.signed_in("anna").await.cookies.len(), 1, "and it still works");
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    let house = House::open().await;
    house.user("anna", Access::Viewer).await;
    for to in
        ["https://evil.example", "//evil.example", "/console/sign-out", "/\\evil", "/consoled"]
    {
        let form = [("name", "anna"), ("password", PASSWORD), ("to", to)];
        let mut browser = house.browser().from(&format!("203.0.113.{}", to.len()));
        let entered = browser.post("/console/sign-in", &encoded(&form)).await;
        assert_eq!((entered.status, entered.to.as_str()), (303, "/console"), "{to}");
    }
}
