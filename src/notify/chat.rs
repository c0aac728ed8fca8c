//! Tells a chat through its incoming webhook. The webhook's address is the secret: it is in no error.

use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::SendError;
use super::notice::{Group, Notice, Phase};
use crate::config::{ChatKind, ChatSettings};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest text in one part, in characters: Slack takes 3000, a header 150.
const LONG: usize = 2900;
const HEADER: usize = 150;

/// One chat.
#[derive(Clone)]
pub struct Chat {
    client: Client,
    kind: ChatKind,
    url: SecretString,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Chat {
    /// A chat for these settings; nothing is connected yet.
    ///
    /// # Errors
    /// When this machine has no TLS to speak with.
    pub fn new(settings: &ChatSettings) -> Result<Self, SendError> {
        Self::with_timeout(settings, TIMEOUT)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// Like [`Chat::new`].
    pub fn with_timeout(settings: &ChatSettings, timeout: Duration) -> Result<Self, SendError> {
        let client = Client::builder()
            .timeout(timeout)
            // Whoever redirects a secret address is not whom it was meant for.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("instep/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SendError::person(format!("no TLS for chats: {error}")))?;
        Ok(Self { client, kind: settings.kind, url: settings.url.clone() })
    }

    /// Tells a group of notices.
    ///
    /// # Errors
    /// When the chat did not take it.
    pub async fn send(&self, group: &Group) -> Result<(), SendError> {
        let body = match self.kind {
            ChatKind::Slack => slack(group),
            ChatKind::Teams => teams(group),
        };
        let address = Url::parse(self.url.expose_secret().trim())
            .map_err(|_| SendError::person("the url of a chat in [notify] is not an address"))?;
        let answer = self.client.post(address).json(&body).send().await;
        let answer = answer.map_err(|error| {
            let what = if error.is_timeout() { "did not answer in time" } else { "is away" };
            SendError::later(format!("the chat {what}"))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let busy = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if busy || status.is_server_error() {
            let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
            let reason = format!("the chat answered {}", status.as_u16());
            return Err(SendError::Later { reason, after });
        }
        Err(SendError::person(format!(
            "the chat answered {}: look whether its webhook in [notify] chat is still there, and make \
             a new one if not",
            status.as_u16()
        )))
    }
}

fn mark(notice: &Notice) -> &'static str {
    match notice.phase {
        Phase::Began => "⚠",
        Phase::Ended => "✓",
    }
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Blocks for those who see them, `text` for the preview. As
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks> describes.
fn slack(group: &Group) -> Value {
    // The three signs that mean something in Slack's text.
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut blocks = Vec::new();
    for notice in &group.notices {
        let title = cut(&format!("{} {}", mark(notice), notice.title), HEADER);
        blocks.push(json!({"type": "header", "text": {"type": "plain_text", "text": title}}));
        let mut text = notice.text().join("\n");
        text = escape(&cut(&text, LONG / 2));
        if let Some(link) = &notice.link {
            text = format!("{text}\n<{}|More>", escape(link).replace('|', "%7C"));
        }
        if !text.is_empty() {
            blocks.push(
                json!({"type": "section", "text": {"type": "mrkdwn", "text": cut(&text, LONG)}}),
            );
        }
    }
    if let Some(rest) = group.rest() {
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": rest}]}));
    }
    json!({"text": escape(&format!("Instep: {}", group.title())), "blocks": blocks})
}

/// An adaptive card in the envelope that a Teams workflow takes. As
/// <https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook> describes. Text runs,
/// unlike text blocks, are shown as they are.
fn teams(group: &Group) -> Value {
    let run = |text: &str, style: Value| {
        let mut run = json!({"type": "TextRun", "text": cut(text, LONG)});
        if let (Some(run), Some(style)) = (run.as_object_mut(), style.as_object()) {
            run.extend(style.clone());
        }
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    let (mut body, mut actions) = (Vec::new(), Vec::new());
    for notice in &group.notices {
        let color = if notice.phase == Phase::Began { "warning" } else { "good" };
        let title = format!("{} {}", mark(notice), notice.title);
        body.push(run(&title, json!({"weight": "bolder", "size": "medium", "color": color})));
        body.extend(notice.text().into_iter().map(|line| run(line, json!({}))));
        if let Some(link) = &notice.link {
            let title = cut(&notice.title, 60);
            actions.push(json!({"type": "Action.OpenUrl", "title": title, "url": link}));
        }
    }
    body.extend(group.rest().map(|rest| run(&rest, json!({"isSubtle": true}))));
    // Teams shows six.
    actions.truncate(6);
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "fallbackText": group.title(),
                "body": body,
                "actions": actions,
            },
        }],
    })
}
