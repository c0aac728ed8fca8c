//! The calls to the provider, and in words what is wrong with what it answers.

use std::pin::Pin;

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    AsyncHttpClient, ClaimsVerificationError, DiscoveryError, HttpRequest, HttpResponse,
    RequestTokenError, StandardErrorResponse,
};

use super::OidcError;

/// The most bytes of an answer.
const LARGEST: usize = 1024 * 1024;

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("answers at too great length")]
    TooLong,
}

/// Our client for the calls of `openidconnect`. Each future is boxed: of a closure's, the compiler
/// cannot tell that it can go from one thread to another.
pub struct Http(pub reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(call(&self.0, request))
    }
}

async fn call(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let mut answer = http.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > LARGEST {
            return Err(CallError::TooLong);
        }
        body.extend_from_slice(&piece);
    }
    let mut response = HttpResponse::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

/// It does not say who it is.
pub fn not_found(error: &DiscoveryError<CallError>) -> OidcError {
    let text = match error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => {
            format!("answers {} when asked who it is: see console.oidc.issuer", status.as_u16())
        }
        DiscoveryError::Validation(_) => {
            "calls itself otherwise than console.oidc.issuer: write it as the provider does, up to \
             the last slash"
                .to_owned()
        }
        _ => "does not say who it is in a form that is known (OpenID Connect Discovery)".to_owned(),
    };
    tracing::warn!(why = text, "the OpenID provider was asked who it is");
    OidcError::Provider(text)
}

/// As the library tells it.
pub type NotExchanged = RequestTokenError<CallError, StandardErrorResponse<CoreErrorResponseType>>;

/// It gives no ID token for the code.
pub fn not_exchanged(error: &NotExchanged) -> OidcError {
    let text = match error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            CoreErrorResponseType::InvalidClient => {
                "does not know this console: see console.oidc.client_id and client_secret"
            }
            CoreErrorResponseType::InvalidGrant => return OidcError::Lost,
            _ => "refuses the code that it gave",
        },
        RequestTokenError::Request(_) => "cannot be reached",
        _ => "answers in a form that is not known",
    };
    tracing::warn!(why = text, "the OpenID provider was asked for an ID token");
    provider(text)
}

/// The ID token that it gave is not believed.
pub fn not_believed(error: &ClaimsVerificationError) -> OidcError {
    let text = match error {
        ClaimsVerificationError::Expired(_) => {
            "gave an ID token of another time: compare its clock with this machine's"
        }
        ClaimsVerificationError::InvalidNonce(_) => return OidcError::Lost,
        ClaimsVerificationError::InvalidAudience(_) => {
            "gave an ID token that is for somebody else: see console.oidc.client_id"
        }
        ClaimsVerificationError::InvalidIssuer(_) => "gave an ID token of another issuer",
        ClaimsVerificationError::SignatureVerification(_) => {
            "gave an ID token that none of its keys has signed"
        }
        _ => "gave no ID token that can be believed",
    };
    tracing::warn!(why = text, "an ID token was refused");
    provider(text)
}

/// The provider does not do what it should.
pub fn provider(what: &str) -> OidcError {
    OidcError::Provider(what.to_owned())
}
