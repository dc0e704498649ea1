//! A canary secret and a canary payload, driven through every route in right and in wrong ways with the log at its
//! finest: they are nowhere in the log, the metrics, the errors or the audit trail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use tidings::app::{self, Parts, Served};
use tidings::config::{self, Sources};

use crate::program::{SECRET, Serving, Site};
use crate::wire::{self, Answer};

/// Part of everything that must not be found.
const CANARY: &str = "canary";

/// What is sent: every credential, value and payload has the canary in it.
const HEADERS: &str = "Cookie: session=canary-cookie\r\nX-Anything: canary-header\r\nSignature: sig=:canary-signature:\r\n\
                       Webhook-Signature: v1,canary-signature\r\nProxy-Authorization: Basic canary-proxy\r\n\
                       Tracestate: a=canary-state\r\nUser-Agent: canary-agent\r\nReferer: http://u:canary-info@h/?q=canary\r\n";
const QUERIES: [&str; 2] = ["?size=1&anything=canary-query", "?size=canary-query"];
const BODIES: [(&str, &str); 7] = [
    ("application/json", r#"{"type":"301","subject":"canary-subject","data":{"name":"canary-data","n":1}}"#),
    (
        "application/cloudevents+json",
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"301","subject":"canary-subject","time":"canary-time","data":{"secret":"whsec_canary"}}"#,
    ),
    ("application/cloudevents-batch+json", r#"[{"specversion":"1.0","type":"301","data":"canary-data"}, 7]"#),
    (
        "application/json",
        r#"{"event_type_ids":["301"],"client_id":"crm","webhook":{"secret":"whsec_canarycanary"},"note":"canary-value"}"#,
    ),
    ("application/json", "{\"data\": \"canary-data\", \"data\": canary-data"),
    (
        "application/x-www-form-urlencoded",
        "grant_type=client_credentials&client_id=crm&client_secret=canary-secret&x=canary-value",
    ),
    ("text/plain", "canary-data \u{1b}[2J\n<0>canary"),
];
const BINARY: &str = "ce-specversion: 1.0\r\nce-type: 301\r\nce-source: /s\r\nce-id: b-1\r\nce-subject: canary-subject\r\n\
                      ce-extension: canary-extension\r\n";

/// Heads that are no requests, or none of ours.
const ODD: [&str; 6] = [
    "GET http://user:canary-password@x/v1/events?canary=canary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nAuthoriz ation: canary\r\n\r\n",
    "canary /v1/events HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: canary.example\r\nOrigin: https://canary.example\r\nConnection: close\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: canary\r\nConnection: close\r\n\r\n",
    "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n\r\n",
];

/// What is served by this configuration: an appliance of it in this process shows its tables.
fn served(site: &Site) -> Vec<Served> {
    let settings = config::load(&Sources::new(site.config())).unwrap().settings;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = app::start(settings, Parts::system()).await.unwrap();
        let served = running.served().to_vec();
        assert_eq!(running.stop().await, [""; 0]);
        served
    })
}

/// The `Authorization` and other credentials that each call is sent with.
fn credentials(token: &str) -> Vec<String> {
    let basic = |id: &str, secret: &str| STANDARD.encode(format!("{id}:{secret}"));
    vec![
        String::new(),
        format!("Authorization: Bearer {token}\r\n"),
        // The signature is another one.
        format!("Authorization: Bearer {}canary\r\n", &token[..token.len() - 6]),
        "Authorization: Bearer canary-token\r\n".to_owned(),
        format!("Authorization: Basic {}\r\n", basic("crm", SECRET)),
        format!("Authorization: Basic {}\r\n", basic("crm", "canary-secret")),
        "Authorization: canary canary canary\r\n".to_owned(),
        "X-API-KEY: tdg_ab12cd34_canarycanarycanarycanary\r\n".to_owned(),
        format!("Authorization: Bearer {token}\r\nX-API-KEY: canary-key\r\n"),
    ]
}

fn request(method: &str, path: &str, headers: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media_type}\r\n\
         Content-Length: {length}\r\n{HEADERS}{headers}\r\n{body}"
    )
}

/// Every route with everything; the answers that are errors.
fn drive(serving: &Serving, served: &[Served], token: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for Served { admin, mount, routes, .. } in served {
        let mut send = |text: &str| {
            let socket = if *admin { &serving.admin } else { &serving.api };
            answers.extend(wire::try_send(socket, text));
        };
        for route in routes {
            let method = route.method.as_hyper();
            // The subscription that there is, and one that there is not.
            for id in ["crm-accounts", "nobody"] {
                let path = format!("{mount}{}", parameters_replaced(route.path, id));
                for (n, credential) in credentials(token).iter().enumerate() {
                    for (m, (media_type, body)) in BODIES.iter().enumerate() {
                        let query = QUERIES[(n + m) % QUERIES.len()];
                        let binary = if (n + m) % 3 == 0 { BINARY } else { "" };
                        let path = format!("{path}{query}");
                        send(&request(method.as_str(), &path, &format!("{credential}{binary}"), media_type, body));
                    }
                }
            }
        }
        for odd in ODD {
            send(odd);
        }
    }
    answers
}

fn parameters_replaced(path: &str, value: &str) -> String {
    let segments: Vec<_> = path.split('/').map(|s| if s.starts_with('{') { value } else { s }).collect();
    segments.join("/")
}

fn nowhere(what: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        let found = text.lines().find(|line| line.contains(secret.as_str()));
        assert!(found.is_none(), "{secret} is in {what}: {}", found.unwrap_or_default());
    }
}

#[test]
fn a_canary_is_nowhere_to_be_found() {
    for format in ["text", "json"] {
        let site = Site::new();
        let output = site.path("audit.log").display().to_string();
        site.configure("tidings.toml", "data", "api.sock", "admin.sock", &format!("audit.output = \"{output}\""));
        let served = served(&site);
        assert!(served.iter().any(|served| served.admin) && served.len() >= 4, "{served:?}");
        let serving = site.serve_with("TIDINGS__LOG__FORMAT", format);
        let form = format!("grant_type=client_credentials&client_id=crm&client_secret={SECRET}");
        let token = request("POST", "/oauth2/token", "", "application/x-www-form-urlencoded", &form);
        let token = serving.send(&token).json(200)["access_token"].as_str().unwrap().to_owned();

        let answers = drive(&serving, &served, &token);
        let metrics = serving.admin("/metrics").unwrap().body + &serving.admin("/health/ready").unwrap().body;
        serving.signal(Signal::TERM);
        assert_eq!(serving.end(), Some(0));
        let log = std::fs::read_to_string(site.path("log")).unwrap();
        let trail = std::fs::read_to_string(output).unwrap();

        let accepted = answers.iter().filter(|answer| answer.status == 202).count();
        let asked = log.matches("answered").count();
        assert!(accepted >= 4 && asked >= 500, "{accepted} events were accepted, {asked} requests were logged");
        let signature = token.rsplit('.').next().unwrap().to_owned();
        let basic = |secret: &str| STANDARD.encode(format!("crm:{secret}"));
        let secrets = [CANARY.to_owned(), SECRET.to_owned(), signature, basic(SECRET), basic("canary-secret")];
        nowhere("the log", &log, &secrets);
        nowhere("the audit trail", &trail, &secrets);
        nowhere("the metrics", &metrics, &secrets);
        for answer in answers.iter().filter(|answer| answer.status >= 400) {
            nowhere("an error", &answer.body, &secrets);
        }
    }
}
