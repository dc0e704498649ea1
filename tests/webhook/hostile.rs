//! A table of hostile URLs and of names that resolve to hostile addresses: each is refused, with a clear reason, before
//! anything is connected to.

use crate::stage::Stage;
use crate::upstream::{Reply, Upstream};

/// Allows every address that a network can allow.
const WIDE: &[&str] = &["0.0.0.0/0", "[::/0]", "public"];
/// Allows the internet.
const PUBLIC: &[&str] = &["public"];
/// Allows two names on the internet.
const NAMED: &[&str] = &["hook.example.com", "*.partner.example", "public"];

struct Case {
    allow: &'static [&'static str],
    /// The host of the URL, or all of it.
    host: &'static str,
    /// What it resolves to, where it is a name.
    is: &'static [&'static str],
    /// What is said.
    says: &'static str,
}

const fn case(
    allow: &'static [&'static str],
    host: &'static str,
    is: &'static [&'static str],
    says: &'static str,
) -> Case {
    Case { allow, host, is, says }
}

const CASES: &[Case] = &[
    // This machine, in every notation that a URL has for it.
    case(WIDE, "127.0.0.1", &[], "a loopback address"),
    case(WIDE, "127.255.255.254", &[], "a loopback address"),
    case(WIDE, "127.1", &[], "a loopback address"),
    case(WIDE, "2130706433", &[], "a loopback address"),
    case(WIDE, "0x7f000001", &[], "a loopback address"),
    case(WIDE, "0177.0.0.1", &[], "a loopback address"),
    case(WIDE, "0x7f.1", &[], "a loopback address"),
    case(WIDE, "127.0.0.1.", &[], "a loopback address"),
    case(WIDE, "%31%32%37.0.0.1", &[], "a loopback address"),
    case(WIDE, "\u{ff11}\u{ff12}\u{ff17}.0.0.1", &[], "a loopback address"),
    case(WIDE, "\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}", &[], "a loopback address"),
    case(WIDE, "127\u{3002}0\u{3002}0\u{3002}1", &[], "a loopback address"),
    case(WIDE, "[::1]", &[], "a loopback address"),
    case(WIDE, "[0:0:0:0:0:0:0:1]", &[], "a loopback address"),
    case(WIDE, "[::ffff:127.0.0.1]", &[], "a loopback address"),
    case(WIDE, "[::ffff:7f00:1]", &[], "a loopback address"),
    case(WIDE, "[::ffff:0:127.0.0.1]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[::127.0.0.1]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[64:ff9b::127.0.0.1]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[64:ff9b:1::127.0.0.1]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[64:ff9b:1:7f00:0:100:808:808]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[2002:7f00:1::]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "[2001:0:4136:e378:8000:63bf:80ff:fffe]", &[], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "0.0.0.0", &[], "the unspecified address"),
    case(WIDE, "0", &[], "the unspecified address"),
    case(WIDE, "[::]", &[], "the unspecified address"),
    case(WIDE, "[::ffff:0.0.0.0]", &[], "the unspecified address"),
    case(WIDE, "localhost", &["127.0.0.1", "::1"], "a loopback address"),
    case(WIDE, "LOCALHOST.", &["127.0.0.1"], "a loopback address"),
    case(WIDE, "loopback.example.com", &["127.0.0.1"], "a loopback address"),
    case(WIDE, "mapped.example.com", &["::ffff:127.0.0.1"], "a loopback address"),
    case(WIDE, "nat64.example.com", &["64:ff9b::7f00:1"], "stands for 127.0.0.1, a loopback address"),
    case(WIDE, "nothing.example.com", &["0.0.0.0"], "the unspecified address"),
    // Where clouds tell machines their secrets.
    case(WIDE, "169.254.169.254", &[], "a metadata address"),
    case(WIDE, "2852039166", &[], "a metadata address"),
    case(WIDE, "0xA9FEA9FE", &[], "a metadata address"),
    case(WIDE, "0251.0376.0251.0376", &[], "a metadata address"),
    case(WIDE, "[::ffff:169.254.169.254]", &[], "a metadata address"),
    case(WIDE, "[64:ff9b::a9fe:a9fe]", &[], "stands for 169.254.169.254, a metadata address"),
    case(WIDE, "[2002:a9fe:a9fe::1]", &[], "stands for 169.254.169.254, a metadata address"),
    case(WIDE, "[fd00:ec2::254]", &[], "a metadata address"),
    case(WIDE, "169.254.170.2", &[], "a metadata address"),
    case(WIDE, "100.100.100.200", &[], "a metadata address"),
    case(PUBLIC, "168.63.129.16", &[], "a metadata address"),
    case(WIDE, "metadata.google.internal", &["169.254.169.254"], "a metadata address"),
    case(WIDE, "metadata6.google.internal", &["fd20:ce::254"], "a metadata address"),
    // What is not the internet.
    case(PUBLIC, "10.0.0.1", &[], "a private address"),
    case(PUBLIC, "172.16.0.1", &[], "a private address"),
    case(PUBLIC, "192.168.1.1", &[], "a private address"),
    case(PUBLIC, "[fd00::1]", &[], "a private address"),
    case(PUBLIC, "[fec0::1]", &[], "a private address"),
    case(PUBLIC, "100.64.0.1", &[], "an address of a provider's NAT"),
    case(PUBLIC, "169.254.1.1", &[], "a link-local address"),
    case(PUBLIC, "[fe80::1]", &[], "a link-local address"),
    case(PUBLIC, "224.0.0.1", &[], "a multicast address"),
    case(PUBLIC, "[ff02::1]", &[], "a multicast address"),
    case(PUBLIC, "255.255.255.255", &[], "the broadcast address"),
    case(PUBLIC, "192.0.2.1", &[], "an address of documents"),
    case(PUBLIC, "[2001:db8::1]", &[], "an address of documents"),
    case(PUBLIC, "198.18.0.1", &[], "a reserved address"),
    case(PUBLIC, "240.0.0.1", &[], "a reserved address"),
    case(PUBLIC, "0.1.2.3", &[], "a reserved address"),
    case(PUBLIC, "[4000::1]", &[], "a reserved address"),
    case(PUBLIC, "[::ffff:10.0.0.1]", &[], "a private address"),
    case(PUBLIC, "[64:ff9b::10.0.0.1]", &[], "stands for 10.0.0.1, a private address"),
    case(PUBLIC, "[2002:c0a8:101::1]", &[], "stands for 192.168.1.1, a private address"),
    case(PUBLIC, "[2001:0:4136:e378:8000:63bf:f5ff:fffe]", &[], "stands for 10.0.0.1, a private address"),
    case(PUBLIC, "10.0.0.1.nip.io", &["10.0.0.1"], "10.0.0.1.nip.io is 10.0.0.1: "),
    case(PUBLIC, "both.example.com", &["10.0.0.1", "fd00::1"], "both.example.com is 10.0.0.1, fd00::1: "),
    case(PUBLIC, "compatible.example.com", &["::192.168.0.1"], "stands for 192.168.0.1, a private address"),
    // Names that only look like those that are allowed, and addresses in their place.
    case(NAMED, "evil.example", &["8.8.8.8"], "names hosts, and evil.example:"),
    case(NAMED, "hook.example.com.evil.example", &["8.8.8.8"], "names hosts, and hook.example.com.evil.example:"),
    case(NAMED, "xhook.example.com", &["8.8.8.8"], "names hosts, and xhook.example.com:"),
    case(NAMED, "partner.example", &["8.8.8.8"], "names hosts, and partner.example:"),
    case(NAMED, "h\u{43e}\u{43e}k.example.com", &["8.8.8.8"], "names hosts, and xn--"),
    case(NAMED, "8.8.8.8", &[], "names hosts, and does not allow 8.8.8.8:"),
    case(NAMED, "HOOK.example.com", &["10.0.0.1"], "hook.example.com is 10.0.0.1: "),
    case(NAMED, "a.partner.example.", &["127.0.0.1"], "a.partner.example. is 127.0.0.1: "),
    // Ports, and what is no URL at all.
    case(PUBLIC, "http://8.8.8.8:22/", &[], "has no entry for port 22"),
    case(PUBLIC, "https://dns.example.com/", &["8.8.8.8"], "has no entry for port 443"),
    case(&[], "8.8.8.8", &[], "allows nothing"),
    case(WIDE, "http://hook.example.com@127.0.0.1/", &[], "none that can be connected to"),
    case(WIDE, "http://127.0.0.1#@hook.example.com/", &[], "none that can be connected to"),
    case(WIDE, "file:///etc/passwd", &[], "none that can be connected to"),
    case(WIDE, "gopher://127.0.0.1:6379/_x", &[], "none that can be connected to"),
    case(WIDE, "http://[fe80::1%25eth0]/", &[], "none that can be connected to"),
    case(WIDE, "http:///etc/passwd", &["8.8.8.8"], "has no entry for port 80"),
];

#[tokio::test]
async fn what_is_hostile_is_refused_with_a_reason_and_never_connected_to() {
    // It hears of a connection to this machine, whatever the notation.
    let canary = Upstream::start(Reply::ok("secret")).await;
    let port = canary.address.port();
    for Case { allow, host, is, says } in CASES {
        let allow: Vec<_> = allow.iter().map(|what| format!("{what}:{port}")).collect();
        let stage = Stage::with(&allow.iter().map(String::as_str).collect::<Vec<_>>());
        let url = if host.contains("//") { (*host).to_owned() } else { format!("http://{host}:{port}/x?key=s3cret") };
        let name = host.to_lowercase();
        stage.names.tell(&name, &[is]);
        stage.names.tell(name.trim_end_matches('.'), &[is]);
        let sent = stage.send(&url).await;
        assert_eq!((sent.reason.as_str(), sent.status), ("egress-refused", None), "{host}: {sent:?}");
        assert!(sent.detail.contains(says) && !sent.detail.contains("s3cret"), "{host}: {}", sent.detail);
    }
    assert_eq!(canary.connections(), 0);
    assert!(CASES.len() >= 60);
}

#[tokio::test]
async fn a_policy_that_is_not_there_allows_nothing() {
    let sent = Stage::bare().send("https://hook.example.com/?key=s3cret").await;
    assert_eq!(sent.reason, "egress-refused");
    assert_eq!(sent.detail, "https://hook.example.com:443: there is no egress policy \"plant\"");
}
