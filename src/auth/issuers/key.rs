//! One public key of an issuer, from its JWK (RFC 7517).

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::algorithm::Algorithm;

/// The lengths of an RSA modulus that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key that can verify signatures.
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    /// For each of the RSA algorithms.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// For the one algorithm that fits its curve.
    Curve(Algorithm, ParsedPublicKey),
}

/// The members of a JWK that matter here. Others, certificates among them, are ignored (RFC 7517, 4).
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    pub(super) kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl Key {
    /// The key, or why it is of no use here.
    pub(super) fn of(jwk: Jwk) -> Result<Self, String> {
        if jwk.d.is_some() {
            return Err("it holds the private part too, which nobody but the issuer may have".to_owned());
        }
        if let Some(purpose) = jwk.purpose.as_ref().filter(|purpose| *purpose != "sig") {
            return Err(format!("its use is {purpose:?}, not \"sig\""));
        }
        if jwk.key_ops.as_ref().is_some_and(|operations| operations.iter().all(|operation| operation != "verify")) {
            return Err("its key_ops do not have \"verify\"".to_owned());
        }
        let material = Material::of(&jwk)?;
        let algorithm = match &jwk.alg {
            None => None,
            Some(name) => Some(Algorithm::named(name).ok_or_else(|| format!("its alg {name:?} is not supported"))?),
        };
        if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
            return Err("its alg does not fit its kty and crv".to_owned());
        }
        Ok(Self { id: jwk.kid, algorithm, material })
    }

    /// Whether a signature of this algorithm can be one of this key's.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.material.fits(algorithm)
    }

    /// Whether `signature` is this key's for `message`; never where the algorithm does not fit.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match (&self.material, algorithm.rsa()) {
            (Material::Rsa(key), Some(parameters)) => key.verify(parameters, message, signature).is_ok(),
            (Material::Curve(_, key), None) => key.verify_sig(message, signature).is_ok(),
            _ => false,
        }
    }
}

impl Material {
    fn of(jwk: &Jwk) -> Result<Self, String> {
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => rsa(jwk),
            ("EC", Some("P-256")) => curve(Algorithm::Es256, &point(jwk, 32)?),
            ("EC", Some("P-384")) => curve(Algorithm::Es384, &point(jwk, 48)?),
            ("EC", Some("P-521")) => curve(Algorithm::Es512, &point(jwk, 66)?),
            ("OKP", Some("Ed25519")) => curve(Algorithm::EdDsa, &coordinate(jwk.x.as_deref(), "x", 32)?),
            ("oct", _) => Err("it is a symmetric key: whoever can check with it can sign with it".to_owned()),
            (kty, None) => Err(format!("its kty {kty:?} is not supported")),
            (kty, Some(crv)) => Err(format!("its kty {kty:?} with crv {crv:?} is not supported")),
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa(_) => algorithm.rsa().is_some(),
            Self::Curve(only, _) => *only == algorithm,
        }
    }
}

fn rsa(jwk: &Jwk) -> Result<Material, String> {
    let number = |text: Option<&str>, name: &str| {
        let mut bytes = decoded(text, name)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes.drain(..zeros);
        Ok::<_, String>(bytes)
    };
    let key = RsaPublicKeyComponents { n: number(jwk.n.as_deref(), "n")?, e: number(jwk.e.as_deref(), "e")? };
    let bits = key.n.len() * 8 - key.n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(format!("its modulus has {bits} bits: {} to {} are taken", RSA_BITS.start(), RSA_BITS.end()));
    }
    // RFC 8017, 3.1: odd, and at least 3; with 1 everything would be its own signature. Nobody uses long ones, which
    // would make the verification slow.
    if !(1..=4).contains(&key.e.len()) || key.e.last().is_none_or(|last| last % 2 == 0) || key.e == [1] {
        return Err("its e is no exponent of an RSA key".to_owned());
    }
    // Tries both parts together; every algorithm takes the same keys.
    match Algorithm::Rs256.rsa().map(|parameters| key.to_parsed_public_key(parameters)) {
        Some(Ok(_)) => Ok(Material::Rsa(key)),
        _ => Err("its n and e are no RSA key".to_owned()),
    }
}

fn curve(algorithm: Algorithm, bytes: &[u8]) -> Result<Material, String> {
    let parsed = algorithm.curve().and_then(|verification| ParsedPublicKey::new(verification, bytes).ok());
    parsed.map(|key| Material::Curve(algorithm, key)).ok_or_else(|| "its coordinates are not on its curve".to_owned())
}

/// An uncompressed point (SEC 1, 2.3.3).
fn point(jwk: &Jwk, length: usize) -> Result<Vec<u8>, String> {
    let [x, y] = [(&jwk.x, "x"), (&jwk.y, "y")].map(|(text, name)| coordinate(text.as_deref(), name, length));
    Ok([vec![4], x?, y?].concat())
}

fn coordinate(text: Option<&str>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    let bytes = decoded(text, name)?;
    if bytes.len() == length { Ok(bytes) } else { Err(format!("its {name} must have {length} bytes")) }
}

fn decoded(text: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("it has no {name}"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("its {name} is not base64url"))
}
