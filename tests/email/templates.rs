//! Templates: which one is taken, what it knows, and what is said of a bad one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use tidings::base::clock::Timestamp;
use tidings::channel::Verdict;
use tidings::channel::email::{Finding, Rendered, TemplateFile, Templates, Wanted};
use tidings::model::event::{EventDraft, EventTime, Extension};
use tidings::model::json::RawJson;
use tidings::model::target::EmailTarget;

use crate::relay::{Relay, Script};
use crate::stage::{NOTIFICATION, channel, event, message, parsed, send, settings, target};

fn templates(files: &[(&str, &str)]) -> Templates {
    let (templates, findings) = read(files);
    assert_eq!(findings, []);
    templates
}

fn read(files: &[(&str, &str)]) -> (Templates, Vec<Finding>) {
    let file = |(name, text): &(&str, &str)| TemplateFile { name: (*name).to_owned(), text: (*text).to_owned() };
    Templates::new(files.iter().map(file).collect(), TimeZone::get("Pacific/Auckland").unwrap())
}

/// What a message for an endpoint with this template and locale says.
fn rendered(templates: &Templates, template: Option<&str>, locale: Option<&str>, draft: EventDraft) -> Rendered {
    templates.render(&Wanted {
        template,
        locale,
        default_locale: "en-GB",
        address: "jane@example.net",
        type_name: Some("create account"),
        message: &message(draft),
    })
}

fn text(files: &[(&str, &str)], draft: EventDraft) -> String {
    let rendered = rendered(&templates(files), None, None, draft);
    assert_eq!(rendered.fallback, None);
    rendered.text
}

#[test]
fn the_nearest_name_and_language_is_taken() {
    let names = [
        "301.fr-CA.txt",
        "301.fr.txt",
        "301.en-GB.txt",
        "301.en.txt",
        "301.txt",
        "own.de.txt",
        "own.txt",
        "default.en.txt",
        "default.txt",
        "com.example.app.txt",
        "com.example.app.de.txt",
        "_part.txt",
    ];
    let files: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
    let templates = templates(&files);
    for (template, locale, event_type, expected) in [
        (None, None, "301", "301.en-GB.txt"),
        (None, Some("fr-CA"), "301", "301.fr-CA.txt"),
        (None, Some("FR_ca"), "301", "301.fr-CA.txt"),
        (None, Some("fr-FR"), "301", "301.fr.txt"),
        (None, Some("de"), "301", "301.en-GB.txt"),
        (Some("own"), Some("de-AT"), "301", "own.de.txt"),
        (Some("own"), Some("fr"), "301", "own.txt"),
        (Some("gone"), Some("fr"), "301", "301.fr.txt"),
        (None, Some("fr"), "302", "default.en.txt"),
        (None, None, "com.example.app", "com.example.app.txt"),
        (None, Some("de"), "com.example.app", "com.example.app.de.txt"),
        (None, None, "../301", "default.en.txt"),
        (None, None, "_part", "default.en.txt"),
        (None, None, "", "default.en.txt"),
    ] {
        let mut draft = event("{}");
        draft.event_type = event_type.into();
        assert_eq!(
            rendered(&templates, template, locale, draft).text,
            expected,
            "{template:?} {locale:?} {event_type}"
        );
    }
    assert!(templates.has("own") && templates.has("301") && !templates.has("_part") && !templates.has("gone"));
}

#[test]
fn what_a_template_lacks_is_made() {
    let whole = [("301.subject", "S"), ("301.txt", "T <1>\nT2"), ("301.html", "<p>H</p>")];
    let of = |files: &[(&str, &str)]| rendered(&templates(files), None, None, event(r#"{"amount":1.50}"#));
    assert_eq!(
        of(&whole),
        Rendered { subject: "S".into(), text: "T <1>\nT2".into(), html: "<p>H</p>".into(), fallback: None }
    );
    let only_text = of(&whole[1..2]);
    assert_eq!(only_text.subject, "create account");
    assert!(only_text.html.contains("T &lt;1&gt;\nT2</pre>"), "{}", only_text.html);
    let only_html = of(&whole[2..]);
    assert_eq!(only_html.html, "<p>H</p>");
    assert!(only_html.text.contains("amount: 1.50"));
    let only_subject = of(&whole[..1]);
    assert_eq!(only_subject.subject, "S");
    assert!(only_subject.text.contains("amount: 1.50") && only_subject.html.contains(">1.50</td>"));
}

#[test]
fn a_template_knows_the_event() {
    let time = "2026-11-22T10:00:00.5+01:00";
    let mut draft = event(
        r#"{"order":{"total":1.50,"big":123456789012345678901,"items":[{"n":1},{"n":2}],"due":"2026-12-01T00:00:00Z"},"gone":null}"#,
    );
    draft.id = Some("order-7".to_owned());
    draft.subject = Some("order 7".to_owned());
    draft.time = Some(EventTime { text: time.to_owned(), instant: Timestamp::parse_rfc3339(time).unwrap() });
    draft.data_schema = Some("https://example.com/s".to_owned());
    draft.extensions = vec![Extension { name: "region".to_owned(), value: RawJson::string("south") }];
    for (template, expected) in [
        ("{{ type }}/{{ type_name }}/{{ source }}/{{ subject }}/{{ id }}", "301/create account//crm/order 7/order-7"),
        (
            "{{ time }}|{{ time_rfc3339 }}|{{ accepted }}",
            "2026-11-22 22:00:00 NZDT|2026-11-22T10:00:00.5+01:00|2026-11-23 07:01:29 NZDT",
        ),
        ("{{ dataschema }} {{ extensions.region }}", "https://example.com/s south"),
        ("{{ data.order.total }} {{ data.order.big }} [{{ data.gone }}]", "1.50 123456789012345678901 []"),
        ("{% for item in data.order.items %}{{ item.n + 1 }};{% endfor %}", "2;3;"),
        ("{{ data.order.due|localtime }}", "2026-12-01 13:00:00 NZDT"),
        (
            "{% for f in fields %}{{ f.name }}={{ f.value }} {% endfor %}{{ more_fields }}",
            "order.total=1.50 order.big=123456789012345678901 order.items[0].n=1 order.items[1].n=2 order.due=2026-12-01T00:00:00Z gone=– 0",
        ),
        (
            "{{ notification_id }} {{ subscription }} {{ address }} {{ locale }}",
            &format!("{NOTIFICATION} crm-accounts jane@example.net en-GB"),
        ),
        ("{{ event_id }}", crate::stage::EVENT),
        ("{% if data.note %}note{% else %}none{% endif %} {{ data.note|default('-') }}", "none -"),
    ] {
        assert_eq!(text(&[("301.txt", template)], draft.clone()), expected);
    }
}

#[test]
fn files_may_include_and_extend_one_another() {
    let files = [
        ("_layout.html", "<h1>{% block title %}{% endblock %}</h1>{% include '_foot.html' %}"),
        ("_foot.html", "<i>{{ source }}</i>"),
        ("301.html", "{% extends '_layout.html' %}{% block title %}{{ data.t }}{% endblock %}"),
    ];
    let templates = templates(&files);
    assert_eq!(templates.inspect(&BTreeMap::new()), []);
    let html = rendered(&templates, None, None, event(r#"{"t":"<b>"}"#)).html;
    assert_eq!(html, "<h1>&lt;b&gt;</h1><i>&#x2f;crm</i>");
}

#[test]
fn a_template_that_fails_for_an_event_does_not_stop_it() {
    for (template, why) in [
        ("one\n{{ data.missing }}", "301.txt:2: undefined value"),
        ("{{ data.a.b.c }}", "301.txt:1: undefined value"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}", "too much work"),
        ("{% for i in range(20000) %}{{ 'x' * 100 }}{% endfor %}", "301.txt: more than 524288 bytes"),
        ("{{ 'x' * 100000000 }}", "301.txt:1: "),
        ("{% include '301.txt' %}", "301.txt:1: "),
        ("{% include data.file %}", "301.txt:1: "),
        ("{{ data.a + 1 }}", "301.txt:1: "),
    ] {
        let made =
            rendered(&templates(&[("301.txt", template)]), None, None, event(r#"{"a":"é","file":"/etc/passwd"}"#));
        let fallback = made.fallback.unwrap();
        assert!(fallback.contains(why), "{template}: {fallback}");
        assert!(made.text.contains("a: é") && made.html.contains(">é</td>") && made.subject == "create account");
    }
}

#[tokio::test]
async fn the_record_says_that_a_template_failed() {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.templates = Arc::new(templates(&[("301.txt", "{{ data.missing }}")]));
    let sent = send(&channel(settings), target("jane@example.net"), event(r#"{"a":1}"#)).await;
    assert_eq!(sent.verdict, Verdict::Delivered);
    assert!(sent.detail.contains("built-in template, for 301.txt:1: undefined value"), "{}", sent.detail);
    assert!(parsed(&relay.only().message).body_text(0).unwrap().contains("a: 1"));
}

#[tokio::test]
async fn an_endpoint_s_template_and_language_are_taken() {
    let relay = Relay::start(Script::default()).await;
    let mut settings = settings(&relay);
    settings.templates =
        Arc::new(templates(&[("account.fr.subject", "Compte créé : {{ subject }}\nx"), ("301.txt", "no")]));
    let mut draft = event("{}");
    draft.subject = Some("42".to_owned());
    let target = EmailTarget {
        template: Some("account".to_owned()),
        locale: Some("fr-CA".to_owned()),
        ..target("jane@example.net")
    };
    send(&channel(settings), target, draft).await;
    assert_eq!(parsed(&relay.only().message).subject(), Some("Compte créé : 42 x"));
}

/// What is said of a template, with or without a sample of its data.
fn told(files: &[(&str, &str)], sample: Option<&str>) -> Vec<String> {
    let (templates, mut findings) = read(files);
    let sample = sample.map(|json| RawJson::parse(&Bytes::copy_from_slice(json.as_bytes())).unwrap());
    findings.extend(templates.inspect(&sample.map(|data| ("301".to_owned(), data)).into_iter().collect()));
    let shown = |finding: &Finding| {
        let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
        let kind = if finding.is_error { "" } else { "warning: " };
        format!("{}:{line}: {kind}{}", finding.file, finding.message)
    };
    findings.iter().map(shown).collect()
}

#[test]
fn a_bad_template_is_found_where_it_stands() {
    for (file, template, sample, expected) in [
        ("301.txt", "a\nb {{ data.x }", None, "301.txt:2: syntax error"),
        ("301.txt", "{% if data.x %}", None, "301.txt:1: syntax error"),
        (
            "301.en.html",
            "a\n\n{{ dta.x }}",
            None,
            "301.en.html:3: there is no variable dta; there are accepted, address, data",
        ),
        ("301.txt", "{% if not data.x %}\n{{ nmae }}{% endif %}", None, "301.txt:2: there is no variable nmae"),
        ("301.txt", "{% if typo %}x{% endif %}", None, "301.txt:1: there is no variable typo"),
        ("301.txt", "\n{{ data.x|uper }}", None, "301.txt:2: unknown filter"),
        ("301.txt", "{{ data.x is nice }}", None, "301.txt:1: unknown test"),
        ("301.txt", "{{ shout(data.x) }}", None, "301.txt:1: there is no variable shout"),
        ("301.txt", "{% include 'gone.txt' %}", None, "301.txt:1: template not found"),
        ("301.txt", "{{ data.x }}\n{{ data.y }}", Some(r#"{"x":1}"#), "301.txt:2: undefined value"),
        ("301.fr.txt", "{{ data.y }}", Some(r#"{"x":1}"#), "301.fr.txt:1: undefined value"),
        ("301.txt", "{{ data.x + 1 }}", Some(r#"{"x":"a"}"#), "301.txt:1: invalid operation"),
        ("301.txt", "{{ data.x + 1 }}", None, "301.txt:1: warning: cannot be tried without a sample of its data"),
        (
            "301.txt",
            "{% for i in range(100000) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            None,
            "301.txt:1: it takes too much work",
        ),
    ] {
        let told = told(&[(file, template)], sample);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{template}: {told:?}");
    }
}

#[test]
fn a_good_template_is_not_complained_of() {
    for (template, sample) in [
        ("{{ data.order.items[0].name }} {{ extensions.region }} {{ subject }}", None),
        ("{% for item in data.items %}{{ loop.index }} {{ item.name|upper }}{% endfor %}", None),
        ("{% for name, value in data|items %}{{ name }}={{ value }}{% endfor %}", None),
        ("{% set total = data.total %}{{ total }} {% if total > 3 %}much{% endif %}", None),
        ("{{ data.note|default('none') }} {{ data.tags|join(', ') }} {{ data.due|localtime }}", None),
        ("{{ data.x + 1 }} {{ data.y|default('-') }}", Some(r#"{"x":1}"#)),
        ("{{ data }} {{ fields|length }} {{ range(3)|join }}", None),
    ] {
        assert_eq!(told(&[("301.txt", template)], sample), Vec::<String>::new(), "{template}");
    }
}

#[test]
fn two_files_for_one_language_are_told_of() {
    let told = told(&[("301.fr-CA.txt", "a"), ("301.fr_ca.txt", "b")], None);
    assert_eq!(told, ["301.fr_ca.txt:-: warning: is taken instead of 301.fr-CA.txt, which says the same language"]);
}

/// What the appliance tells of itself, as the engine writes it.
fn condition() -> EventDraft {
    let mut draft = event(
        r#"{"detail":"It is held since 18:00.","fault":"connect-refused","since":"2026-11-22T18:00:00.000Z","status":"started","subject":"crm-accounts","told":1,"whatToDo":"Look at it: <x>"}"#,
    );
    draft.event_type = "tidings.endpoint.held".into();
    draft.subject = Some("crm-accounts".to_owned());
    draft
}

#[test]
fn what_needs_a_person_has_a_form_of_its_own() {
    let made = rendered(&templates(&[("default.txt", "default")]), None, None, condition());
    assert_eq!((made.subject.as_str(), &made.fallback), ("Endpoint held: crm-accounts (started)", &None));
    let begins =
        "It is held since 18:00.\n\nLook at it: <x>\n\nsince: 2026-11-23 07:00:00 NZDT\nfault: connect-refused\n";
    assert!(made.text.starts_with(begins), "{}", made.text);
    assert!(made.html.contains("<p>Look at it: &lt;x&gt;</p>") && made.html.contains("NZDT"), "{}", made.html);
    let own = templates(&[("tidings.txt", "{{ data.detail }}"), ("tidings.clock.txt", "clock")]);
    assert_eq!(rendered(&own, None, None, condition()).text, "It is held since 18:00.");
    // One of a later release may have other data.
    let mut other = event(r#"{"a":1}"#);
    other.event_type = "tidings.new".into();
    let made = rendered(&templates(&[]), None, None, other);
    assert!(made.text.contains("a: 1") && made.fallback.unwrap().contains("/tidings."));
}
