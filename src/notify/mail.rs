//! Hands mail over to a server by SMTP.
//!
//! Each recipient is a mail of its own to the server, so that one address that is refused does not
//! keep the report from the others. Nobody's address and nothing the server said in words is in an
//! error: servers repeat addresses.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Mailboxes, MultiPart, SinglePart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::SendError;
use super::letter::Letter;
use crate::config::{MailSettings, MailTls};

/// Sends mail to those in `[mail]`.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    to: Vec<Address>,
    timeout: Duration,
}

// Addresses are people's.
impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("recipients", &self.to.len()).finish_non_exhaustive()
    }
}

/// What became of a letter. Recipients are named by their places in `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many got it.
    pub delivered: usize,
    /// Who did not, and may when it is sent again.
    pub later: Vec<usize>,
    /// Whom the server refused.
    pub refused: Vec<usize>,
    /// Why the first of them did not get it.
    pub error: Option<SendError>,
}

impl Mailer {
    /// A mailer for these settings; nothing is connected yet.
    ///
    /// # Errors
    /// When an address or `ca_file` is not usable.
    pub fn new(settings: &MailSettings) -> Result<Self, SendError> {
        let address = |text: &str| {
            let wrong = |_| SendError::person("[mail] from or to holds what is no mail address");
            text.parse::<Address>().map_err(wrong)
        };
        let from = address(&settings.from)?;
        let to = settings.to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
        let tls = match settings.tls {
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(parameters(settings)?),
            MailTls::Tls => Tls::Wrapper(parameters(settings)?),
        };
        // Some servers refuse who says that it is 127.0.0.1.
        let hello = ClientId::Domain(from.domain().to_owned());
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
                .port(settings.port)
                .tls(tls)
                .timeout(Some(settings.timeout))
                .hello_name(hello);
        if let Some((user, password)) = &settings.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from, to, timeout: settings.timeout })
    }

    /// The places of all recipients.
    pub fn everyone(&self) -> Vec<usize> {
        (0..self.to.len()).collect()
    }

    /// Sends a letter to the recipients at these places in `to`.
    pub async fn send(&self, letter: &Letter, places: &[usize]) -> Receipt {
        let mut receipt = Receipt::default();
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(error) => {
                return Receipt { refused: places.to_vec(), error: Some(error), ..receipt };
            }
        };
        for (at, &place) in places.iter().enumerate() {
            let Some(to) = self.to.get(place) else { continue };
            let sent = match Envelope::new(Some(self.from.clone()), vec![to.clone()]) {
                Ok(envelope) => self.within(self.transport.send_raw(&envelope, &message)).await,
                Err(_) => Err(Trouble {
                    error: SendError::person("[mail] to holds what is no mail address"),
                    with_all: false,
                }),
            };
            let Err(Trouble { error, with_all }) = sent else {
                receipt.delivered += 1;
                continue;
            };
            let left = if with_all { &places[at..] } else { &[place][..] };
            match error {
                SendError::Later { .. } => receipt.later.extend(left),
                SendError::Person { .. } => receipt.refused.extend(left),
            }
            receipt.error.get_or_insert(error);
            if with_all {
                break;
            }
        }
        receipt
    }

    /// Waits no longer than `timeout`: that of the transport covers the connection only.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
    ) -> Result<T, Trouble> {
        let Ok(answer) = tokio::time::timeout(self.timeout, call).await else {
            let seconds = self.timeout.as_secs();
            let reason = format!("the mail server did not answer within {seconds} s");
            return Err(Trouble { error: SendError::later(reason), with_all: true });
        };
        answer.map_err(|error| judge(&error))
    }

    /// The letter as it travels.
    fn message(&self, letter: &Letter) -> Result<Vec<u8>, SendError> {
        let to: Mailboxes = self.to.iter().map(|to| Mailbox::new(None, to.clone())).collect();
        let id = format!("<{}@{}>", letter.id, self.from.domain());
        let mut builder = Message::builder()
            .from(Mailbox::new(Some("Instep".to_owned()), self.from.clone()))
            .mailbox(header::To::from(to))
            .subject(&letter.subject)
            .date(letter.at.into())
            .message_id(Some(id));
        // So that nobody's absence note answers.
        for (name, value) in
            [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")]
        {
            let name = HeaderName::new_from_ascii_str(name);
            builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
        }
        let text = SinglePart::plain(letter.text.clone());
        let message = match &letter.html {
            None => builder.singlepart(text),
            Some(html) => {
                let html = SinglePart::html(html.clone());
                let both = MultiPart::alternative().singlepart(text).singlepart(html);
                let csv: ContentType = "text/csv; charset=utf-8".parse().map_err(|_| {
                    SendError::person("the content type of spreadsheets is not understood")
                })?;
                let whole = MultiPart::mixed().multipart(both);
                builder.multipart(letter.files.iter().fold(whole, |whole, file| {
                    let part = Attachment::new(file.name.to_owned());
                    whole.singlepart(part.body(file.content.clone(), csv.clone()))
                }))
            }
        };
        let wrong = |error| SendError::person(format!("the mail cannot be written: {error}"));
        message.map(|message| message.formatted()).map_err(wrong)
    }
}

/// Whom to trust, and by which name the server must be known.
fn parameters(settings: &MailSettings) -> Result<TlsParameters, SendError> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let wrong = |why: &str| SendError::person(format!("[mail] ca_file {why}"));
        let pem =
            std::fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        let is_pem = pem.windows(BEGIN.len()).any(|part| part == BEGIN);
        let certificates = Certificate::from_pem(&pem).ok().filter(|_| is_pem);
        let certificates =
            certificates.ok_or_else(|| wrong("holds no certificates as PEM text"))?;
        builder = builder.add_root_certificate(certificates);
    }
    builder
        .build()
        .map_err(|_| SendError::person("[mail] server or ca_file cannot be used for TLS"))
}

/// What went wrong, and whether it is so for every recipient: then the others are not tried, so that
/// a silent server is not waited for again and a wrong password does not lock the user out.
struct Trouble {
    error: SendError,
    with_all: bool,
}

/// What must be done about it.
fn judge(error: &lettre::transport::smtp::Error) -> Trouble {
    let code = error.status().map(u16::from);
    let with_all = code.is_none_or(|code| code == 421 || (530..540).contains(&code));
    Trouble { error: advice(error), with_all }
}

/// What the server said in words is left away.
fn advice(error: &lettre::transport::smtp::Error) -> SendError {
    if let Some(status) = error.status() {
        return match u16::from(status) {
            code @ (530 | 534 | 535 | 538) => SendError::person(format!(
                "the mail server answered {code} to [mail] user and password: look at both"
            )),
            code @ 500.. => SendError::person(format!(
                "the mail server refused with {code}: look at [mail] from and to, and at what this \
                 user may send"
            )),
            code => SendError::later(format!("the mail server answered {code}")),
        };
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                return untrusted(tls);
            }
            return SendError::later(format!("the mail server is away: {}", io.kind()));
        }
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return untrusted(tls);
        }
        source = inner.source();
    }
    if error.is_client() {
        // The library's own words.
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        return SendError::person(format!(
            "the mail server cannot do what [mail] asks of it: {why}; look at tls, user and password"
        ));
    }
    SendError::later("the mail server ended the conversation or said what is not SMTP")
}

fn untrusted(error: &rustls::Error) -> SendError {
    SendError::person(format!(
        "no trusted TLS connection to the mail server: {error}; look at [mail] server, tls and ca_file"
    ))
}
