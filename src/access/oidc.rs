//! Sign-in at an OpenID provider: the code flow with PKCE, state and nonce.
//!
//! What the provider says of itself and its keys is fetched once an hour, and when it signs with a
//! key that is new. What goes wrong is told in plain words, without anything that is known of the
//! person.

mod calls;

use std::time::Duration;

use chrono::DateTime;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, Client, ClientId,
    ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use self::calls::{Http, not_believed, not_exchanged, not_found, provider};
use super::{digest, same};
use crate::clock::Clock;
use crate::config::OidcSettings;
use crate::model::Access;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);

/// How long what the provider says of itself is believed.
const AGE: SignedDuration = SignedDuration::from_hours(1);

/// How often it is asked again because of a key that we do not know.
const KEYS: SignedDuration = SignedDuration::from_secs(60);

/// How far apart the clocks may be.
const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// The longest name that is taken from a provider.
const LONGEST_NAME: usize = 200;

/// All that an ID token or the provider's user information says beside the standard claims.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Rest {
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl AdditionalClaims for Rest {}

type Answer = StandardTokenResponse<
    IdTokenFields<
        Rest,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Caller = Client<
    Rest,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody was let in; a variant is something that whoever wants in does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider does not answer as it should: try again later, or tell who runs Instep.
    #[error("the OpenID provider {0}")]
    Provider(String),
    /// The way back does not belong to a way that was begun here: begin again.
    #[error("this sign-in was begun in another browser, or too long ago: begin again")]
    Lost,
    /// The provider refused: begin again there.
    #[error("the OpenID provider did not sign you in ({0})")]
    Refused(String),
    /// They are signed in there and may nothing here: ask who may.
    #[error("{0}")]
    NotAllowed(String),
}

/// What the browser keeps while somebody is at the provider: nothing that they may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    state: String,
    nonce: String,
    verifier: String,
}

impl Pending {
    /// As one text of letters, digits, `-`, `_` and dots.
    pub fn text(&self) -> String {
        format!("{}.{}.{}", self.state, self.nonce, self.verifier)
    }

    /// From that text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next().filter(|part| part.len() >= 20).map(str::to_owned);
        let (state, nonce, verifier) = (next()?, next()?, next()?);
        parts.next().is_none().then_some(Self { state, nonce, verifier })
    }
}

/// Somebody whom the provider has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Under which name they are known.
    pub name: String,
    /// What they may do.
    pub access: Access,
}

/// The provider as we know it.
pub struct Oidc {
    settings: OidcSettings,
    public: String,
    http: Http,
    clock: Clock,
    known: Mutex<Option<(ProviderMetadataWithLogout, Timestamp)>>,
}

impl Oidc {
    /// The provider of these settings; `public` is where people reach us, without a slash at the
    /// end. Nothing is called yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(settings: OidcSettings, public: &str, clock: Clock) -> Result<Self, reqwest::Error> {
        // What the provider says is for us, not for where it would send us.
        let http = reqwest::Client::builder()
            .timeout(CALL)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let http = Http(http);
        Ok(Self { settings, public: public.to_owned(), http, clock, known: Mutex::new(None) })
    }

    /// Changes with what decides whom the provider lets in: sessions of before then end.
    pub fn stamp(&self) -> String {
        let OidcSettings { issuer, client_id, name_claim, access_claim, access, .. } =
            &self.settings;
        digest(&format!("{issuer}\n{client_id}\n{name_claim}\n{access_claim}\n{access:?}"))
    }

    /// Asks the provider who it is, for `instep check --connect`.
    ///
    /// # Errors
    /// Why nobody could sign in there.
    pub async fn check(&self) -> Result<(), OidcError> {
        self.client(self.known(AGE).await?).map(drop)
    }

    /// Where somebody goes to sign in, and what their browser keeps until they come back.
    ///
    /// # Errors
    /// When the provider does not answer as it should.
    pub async fn begin(&self) -> Result<(String, Pending), OidcError> {
        let client = self.client(self.known(AGE).await?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        for scope in self.settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let pending = Pending {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
        };
        Ok((url.into(), pending))
    }

    /// Who came back with this state and code.
    ///
    /// # Errors
    /// Why they are not let in.
    pub async fn finish(
        &self,
        pending: Pending,
        state: &str,
        code: String,
    ) -> Result<Identity, OidcError> {
        if !same(state, &pending.state) {
            return Err(OidcError::Lost);
        }
        let client = self.client(self.known(AGE).await?)?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| provider("names no address for codes (token_endpoint)"))?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
            .request_async(&self.http)
            .await
            .map_err(|error| not_exchanged(&error))?;
        let nonce = Nonce::new(pending.nonce);
        let claims = match self.claims(&client, &answer, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                // It may have changed its keys since we asked.
                let client = self.client(self.known(KEYS).await?)?;
                self.claims(&client, &answer, &nonce)
            }
            claims => claims,
        };
        let mut claims = claims.map_err(|error| not_believed(&error))?;
        let OidcSettings { name_claim, access_claim, .. } = &self.settings;
        let lacks = |claims: &Value| {
            find(claims, name_claim).is_none() || find(claims, access_claim).is_none()
        };
        if lacks(&claims) {
            // Many providers tell such things only when asked for them.
            self.ask_more(&client, &answer, &mut claims).await?;
        }
        self.judge(&claims)
    }

    /// Where the provider is told that somebody has signed out here; nothing when it has no such
    /// place, or does not answer.
    pub async fn sign_out(&self, back: &str) -> Option<String> {
        let metadata = self.known(AGE).await.ok()?;
        let place = metadata.additional_metadata().end_session_endpoint.clone()?;
        let request = LogoutRequest::from(place)
            .set_client_id(ClientId::new(self.settings.client_id.clone()))
            .set_post_logout_redirect_uri(
                PostLogoutRedirectUrl::new(format!("{}{back}", self.public)).ok()?,
            );
        Some(request.http_get_url().into())
    }

    /// What the provider says of itself, not older than this.
    async fn known(&self, age: SignedDuration) -> Result<ProviderMetadataWithLogout, OidcError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some((metadata, since)) = &*known
            && now.duration_since(*since) < age
        {
            return Ok(metadata.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|_| provider("has an issuer that is no address: see console.oidc.issuer"))?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.http)
            .await
            .map_err(|error| not_found(&error))?;
        *known = Some((metadata.clone(), now));
        Ok(metadata)
    }

    fn client(&self, metadata: ProviderMetadataWithLogout) -> Result<Caller, OidcError> {
        let methods = metadata.token_endpoint_auth_methods_supported();
        let by = |method| methods.is_some_and(|methods| methods.contains(&method));
        let in_body = by(CoreClientAuthMethod::ClientSecretPost)
            && !by(CoreClientAuthMethod::ClientSecretBasic);
        let back = format!("{}/console/sign-in/oidc/done", self.public);
        let redirect = RedirectUrl::new(back)
            .map_err(|_| provider("cannot send anybody back: see server.public_url"))?;
        let secret = ClientSecret::new(self.settings.client_secret.expose_secret().to_owned());
        let id = ClientId::new(self.settings.client_id.clone());
        Ok(Client::from_provider_metadata(metadata, id, Some(secret))
            .set_redirect_uri(redirect)
            .set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth }))
    }

    /// What the ID token says, if it is the provider's, for us, for this sign-in, and fresh.
    fn claims(
        &self,
        client: &Caller,
        answer: &Answer,
        nonce: &Nonce,
    ) -> Result<Value, ClaimsVerificationError> {
        let other = |text: &str| ClaimsVerificationError::Other(text.to_owned());
        let token = answer.id_token().ok_or_else(|| other("there is no ID token"))?;
        let now = self.clock.now();
        let at =
            |time: Timestamp| DateTime::from_timestamp(time.as_second(), 0).unwrap_or_default();
        let (late, early) = (at(now - SKEW), at(now + SKEW));
        let verifier = client
            .id_token_verifier()
            // Only what a key of the provider's own has signed.
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
                CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                CoreJwsSigningAlgorithm::RsaSsaPssSha384,
                CoreJwsSigningAlgorithm::RsaSsaPssSha512,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                CoreJwsSigningAlgorithm::EcdsaP384Sha384,
                CoreJwsSigningAlgorithm::EdDsa,
            ])
            .set_time_fn(move || late)
            .set_issue_time_verifier_fn(move |issued| {
                if issued <= early { Ok(()) } else { Err("issued in the future".to_owned()) }
            });
        let claims = token.claims(&verifier, nonce)?;
        serde_json::to_value(claims).map_err(|_| other("the ID token cannot be read"))
    }

    /// Adds what the provider's user information says. What the ID token says counts more.
    async fn ask_more(
        &self,
        client: &Caller,
        answer: &Answer,
        claims: &mut Value,
    ) -> Result<(), OidcError> {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let subject = openidconnect::SubjectIdentifier::new(subject.to_owned());
        let Ok(request) = client.user_info(answer.access_token().clone(), Some(subject)) else {
            return Ok(());
        };
        let more: UserInfoClaims<Rest, CoreGenderClaim> = request
            .require_signed_response(false)
            .request_async(&self.http)
            .await
            .map_err(|_| provider("does not tell who you are (userinfo_endpoint)"))?;
        let more = serde_json::to_value(more).unwrap_or_default();
        if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
            for (key, value) in more {
                let known = claims.entry(key).or_insert(Value::Null);
                if known.is_null() {
                    *known = value;
                }
            }
        }
        Ok(())
    }

    /// Who that is here.
    fn judge(&self, claims: &Value) -> Result<Identity, OidcError> {
        let OidcSettings { name_claim, access_claim, access, .. } = &self.settings;
        let refused = |why: String| Err(OidcError::NotAllowed(why));
        let uses_mail = [name_claim, access_claim].iter().any(|claim| *claim == "email");
        if uses_mail && claims.get("email_verified") == Some(&Value::Bool(false)) {
            return refused("the provider has not verified your mail address yet".to_owned());
        }
        let texts = |claim: &str| match find(claims, claim) {
            Some(Value::String(text)) => vec![text.as_str()],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let name = texts(name_claim).first().map(|name| name.trim()).unwrap_or_default();
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
            return refused(format!(
                "the provider does not tell `{name_claim}` of you, under which you would be known \
                 here: whoever runs Instep sets console.oidc.name_claim, or adds a scope"
            ));
        }
        let values = texts(access_claim);
        let allowed = access.iter().filter(|(value, _)| values.contains(&value.as_str()));
        match allowed.map(|(_, access)| *access).max() {
            Some(access) => Ok(Identity { name: name.to_owned(), access }),
            None if values.is_empty() => refused(format!(
                "the provider does not tell `{access_claim}` of you, which decides what you may do \
                 here: ask who runs Instep"
            )),
            None => refused(format!(
                "you are signed in at the provider, and nothing in your `{access_claim}` lets you \
                 in here: ask who runs Instep"
            )),
        }
    }
}

/// A claim by its name, or by the way to it: `realm_access.roles`.
fn find<'v>(claims: &'v Value, name: &str) -> Option<&'v Value> {
    let mut deep = name.split('.').try_fold(claims, |at, key| at.get(key));
    if let Some(whole) = claims.get(name) {
        deep = Some(whole);
    }
    deep.filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Pending, find};

    #[test]
    fn a_claim_is_found_by_its_name_or_the_way_to_it() {
        let claims = json!({ "groups": ["a"], "realm": { "roles": ["b"] }, "https://x.y/z": "c" });
        assert_eq!(find(&claims, "groups"), Some(&json!(["a"])));
        assert_eq!(find(&claims, "realm.roles"), Some(&json!(["b"])));
        assert_eq!(find(&claims, "https://x.y/z"), Some(&json!("c")));
        assert_eq!(find(&claims, "realm.none"), None);
    }

    #[test]
    fn what_the_browser_keeps_comes_back_whole_or_not_at_all() {
        let part = |c: &str| c.repeat(22);
        let pending = Pending { state: part("a"), nonce: part("b"), verifier: part("c") };
        assert_eq!(Pending::parse(&pending.text()), Some(pending.clone()));
        for wrong in ["", ".", "..", "a.b.c", &format!("{}.d", pending.text())] {
            assert_eq!(Pending::parse(wrong), None, "{wrong}");
        }
    }
}
