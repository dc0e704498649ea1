//! Trusted issuers and API keys: what they may do ends with the next request after the files have said so.

use serde_json::json;
use tidings::auth::keygen;
use tidings::base::random::SystemRandomness;
use tidings::base::secret::ExposeSecret as _;

use crate::calls::{Answer, Call};
use crate::signer::{Signer, key_set};
use crate::site::{FILES, START, Stage};

const ISSUER: &str = "https://login.test/";

fn token(signer: &Signer, key: &str) -> String {
    let now = START.as_millis() / 1000;
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": key });
    signer.sign(
        &header,
        &json!({
            "iss": ISSUER, "aud": "tidings", "client_id": "partner-7", "scope": "events:publish",
            "sub": "partner-7", "iat": now, "exp": now + 600, "jti": "1"
        }),
    )
}

async fn publish(stage: &Stage, as_whom: Call) -> Answer {
    stage.send(&as_whom.json(r#"{"type":"301"}"#)).await
}

fn event() -> Call {
    Call::new("POST", "/v1/events")
}

#[tokio::test]
async fn an_issuer_comes_changes_its_keys_in_a_file_and_goes() {
    let stage = Stage::start(FILES).await;
    let (first, second) = (Signer::new("ES256"), Signer::new("ES256"));
    let (early, late) = (token(&first, "one"), token(&second, "two"));
    let keys = stage.path("issuer.jwks");
    let write = |signer: &Signer, id: &str| std::fs::write(&keys, key_set(&[signer.jwk(id)]).to_string()).unwrap();
    write(&first, "one");
    let issuer = format!(
        "[[auth.issuers]]\nissuer = \"{ISSUER}\"\njwks = {{ file = \"{}\" }}\nclient_ids = [\"partner-*\"]\n\
         scopes = [\"events:publish\"]\n",
        keys.display()
    );
    publish(&stage, event().bearer(&early)).await.expect(401);
    let files = format!("{FILES}{issuer}");
    assert!(stage.reload(&files).await.changed);
    publish(&stage, event().bearer(&early)).await.expect(202);
    write(&second, "two");
    assert!(stage.reload(&files).await.changed, "what the file holds counts");
    publish(&stage, event().bearer(&early)).await.expect(401);
    publish(&stage, event().bearer(&late)).await.expect(202);
    std::fs::write(&keys, "no keys").unwrap();
    let told = stage.refused(&files).await;
    assert!(told.contains("issuer.jwks"), "{told}");
    publish(&stage, event().bearer(&late)).await.expect(202);
    stage.reload(FILES).await;
    publish(&stage, event().bearer(&late)).await.expect(401);
    stage.end().await;
}

#[tokio::test]
async fn an_api_key_comes_loses_its_scope_and_goes() {
    let stage = Stage::start(FILES).await;
    let key = keygen::new_api_key(&SystemRandomness::default());
    let files =
        |scopes: &str| format!("{FILES}[[api_keys]]\nid = \"billing\"\nhash = \"{}\"\nscopes = [{scopes}]\n", key.hash);
    let as_billing = || event().header("X-API-KEY", key.text.expose_secret());
    publish(&stage, as_billing()).await.expect(401);
    stage.reload(&files("\"events:publish\"")).await;
    publish(&stage, as_billing()).await.expect(202);
    stage.reload(&files("\"trigger\"")).await;
    publish(&stage, as_billing()).await.expect(403);
    stage.reload(FILES).await;
    publish(&stage, as_billing()).await.expect(401);
    stage.end().await;
}
