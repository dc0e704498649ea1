//! Each contract's own error body: what is wrong with one, if something is.

use serde_json::Value;

use crate::door::Answer;
use crate::served::Target;

/// Whether a route answers as RFC 6749, 5.2 has it, in place of its contract's errors.
pub(crate) fn speaks_oauth(target: &Target) -> bool {
    target.contract == "root" && ["token", "revoke"].contains(&target.route.label)
}

/// Of an answer of the token endpoint, which must never be that of the credential check.
pub(crate) fn oauth_fault(answer: &Answer) -> Option<String> {
    let fault = || {
        if answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")) {
            return Err("it asks for a bearer token".to_owned());
        }
        let body = json(answer, "application/json")?;
        if answer.status < 400 { Ok(()) } else { texts(&body, &["error", "error_description"]) }
    };
    fault().err()
}

/// Of an answer with an error.
pub(crate) fn error_fault(contract: &str, answer: &Answer) -> Option<String> {
    error(contract, answer).err()
}

/// Of a 401 or 403 of the credential check.
pub(crate) fn refusal_fault(contract: &str, answer: &Answer) -> Option<String> {
    let fault = || {
        let named = error(contract, answer)?;
        let fits = match answer.status {
            401 => ["NOT000002", "TDG.REG.002", "unauthenticated", "authorization-failure"].contains(&&*named),
            _ => ["NOT000003", "TDG.REG.003", "forbidden"].contains(&&*named),
        };
        if fits { Ok(()) } else { Err(format!("the error is {named}")) }
    };
    fault().err()
}

/// What the error is called.
fn error(contract: &str, answer: &Answer) -> Result<String, String> {
    match contract {
        "polling" => polling(answer),
        "registrations" => registrations(answer),
        "management" => management(answer),
        "recipients" => recipients(answer),
        "trigger" => trigger(answer),
        // contracts/README.md: outside every mount too.
        "events" | "root" | "admin" => problem(answer),
        other => panic!("write down in tests/permissions/words.rs what an error of the contract {other} looks like"),
    }
}

/// contracts/polling.md, "Errors".
fn polling(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/json")?;
    texts(&body, &["code", "error_code", "message", "description"])?;
    let code = body["code"].as_str().unwrap_or_default();
    let status = match code {
        "NOT000001" => 400,
        "NOT000002" => 401,
        "NOT000003" => 403,
        "NOT000004" | "NOT000006" => 404,
        "NOT000005" => 405,
        "NOT000007" => 415,
        "NOT000008" => 413,
        "NOT000009" => 409,
        "NOT000010" => 429,
        "NOT000011" => 503,
        other => return Err(format!("there is no code {other}")),
    };
    if body["error_code"] != *code || answer.status != status {
        return Err(format!("the code is {code}: {}", answer.body));
    }
    Ok(code.to_owned())
}

/// contracts/registrations.md, "Errors".
fn registrations(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/json")?;
    let errors = body["errors"].as_array().filter(|errors| !errors.is_empty()).ok_or("there are no errors")?;
    errors.iter().try_for_each(|error| texts(error, &["code", "message"]))?;
    let code = errors[0]["code"].as_str().unwrap_or_default();
    let status = match code {
        "TDG.REG.001" => 400,
        "TDG.REG.002" => 401,
        "TDG.REG.003" => 403,
        "TDG.REG.004" | "TDG.REG.006" => 404,
        "TDG.REG.005" => 405,
        "TDG.REG.007" | "TDG.REG.008" | "TDG.REG.009" => 409,
        "TDG.REG.010" => 413,
        "TDG.REG.011" => 415,
        "TDG.REG.012" => 429,
        "TDG.REG.013" => 503,
        other => return Err(format!("there is no code {other}")),
    };
    if answer.status == status { Ok(code.to_owned()) } else { Err(format!("the code is {code}: {}", answer.body)) }
}

/// contracts/recipients.md, "Errors": a detail, or for a bad body what is wrong by notification.
fn recipients(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/json")?;
    match answer.status {
        400 => Ok("invalid".to_owned()),
        401 => texts(&body, &["detail"]).map(|()| "unauthenticated".to_owned()),
        403 => texts(&body, &["detail"]).map(|()| "forbidden".to_owned()),
        _ => texts(&body, &["detail"]).map(|()| String::new()),
    }
}

/// contracts/trigger.md, "Errors".
fn trigger(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/json")?;
    texts(&body, &["code", "message"])?;
    let lists = ["validationErrors", "debugTrace"].iter().all(|name| body[*name].is_array());
    if lists {
        Ok(body["code"].as_str().unwrap_or_default().to_owned())
    } else {
        Err(format!("a list is missing: {body}"))
    }
}

/// contracts/management.md, "Errors".
fn management(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/json")?;
    if body["statusCode"] != answer.status || body.as_object().is_none_or(|members| members.len() != 2) {
        return Err(format!("the body is {body}"));
    }
    if !body["message"].is_array() {
        texts(&body, &["message"])?;
    }
    Ok(match answer.status {
        401 => "unauthenticated".to_owned(),
        403 => "forbidden".to_owned(),
        other => other.to_string(),
    })
}

/// RFC 9457, and contracts/events.md.
fn problem(answer: &Answer) -> Result<String, String> {
    let body = json(answer, "application/problem+json")?;
    texts(&body, &["type", "title", "detail"])?;
    if body["status"] != answer.status {
        return Err(format!("the status of the body is {}", body["status"]));
    }
    match body["type"].as_str().unwrap_or_default().rsplit_once("/problems/") {
        Some((_, name)) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(format!("the type is {}", body["type"])),
    }
}

fn json(answer: &Answer, media_type: &str) -> Result<Value, String> {
    match answer.header("content-type") {
        Some(given) if given == media_type => {
            serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))
        }
        other => Err(format!("the Content-Type is {other:?}, not {media_type}")),
    }
}

/// That these members of `body` are texts, and say something.
fn texts(body: &Value, names: &[&str]) -> Result<(), String> {
    let empty = |name: &&&str| body[**name].as_str().is_none_or(str::is_empty);
    names.iter().find(empty).map_or(Ok(()), |name| Err(format!("{name} is missing: {body}")))
}
