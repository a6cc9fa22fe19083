use super::*;
use crate::access::token::verify_signature;
use serde_json::json;

/// Modulus of a key of 2,048 bits, made by openssl; the tokens below are signed with it.
const RSA_MODULUS: &str = "rwY9AFZVc2HawkrhAt2ZLaEt20F8M1vuHe9CbPMCATS3x5UpCSsgNs6kO4dIJb2V50waCPA14Jil89kwtiWQgaAy\
    KkXCCn2LDSrhB2VPgEI4LsKSfX2wo1T1-MmvOI0Io32XdNRTB-qNdcqG1P427a2B-2VYlDRfSSD9oibz2zsZtWiZ\
    EngiU6JCzGLgzxrSxneStPwpG1UnZtLiX3kGl4_wuNcwogZh0yaGd0mJnRi1YqHfALrU-df9IBVn2ICZ4GupdBaF\
    rNZsfQIYfsII3wHpE79TsIkGK_66RIiYbfMRCc5ruNaxEe0sfbRkMazMnfg2RJeJa5kPSl_mihjWmw";

/// Token of `{"iss":"i"}` under the key id `rsa`.
const RS256_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJpIn0.U6A_FJ979u-22YzGwLGKwtwGUR1gMCfav2U\
    SqIUdd5Ha3vR9jYPK3rV6K1yR-k2EXvOA1ynTJ1ZFw2IeRwv7S2GlShYkgCBPdoJfFAmfwzK3zVz6MFiCM7u6rV0\
    vWi41mKRPe8f_X8xn0E_gbU-E56a46ikxgPLqYs7K5Z7ilO4DfUuScR1No5992MYri8_etNCkB0hYAGaB7sPdsKa\
    U1vhKGeCW7rh2dKxl9wsj6D54DWuGwUCf90HrYOaQRp0V-M2ryI8mpPvWU07JoIpQi4C_Simo0TttRT-YwJmUTOc\
    V8GOBmoLsdINgNH1gu7vvzL1h9WH18BZZPNTSi_ObCA";
/// The same, by PS256.
const PS256_TOKEN: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJpIn0.CUBrWQykzg1CYg_Rkfst0RjVZqjpDv-lJE9\
    SU3zWPhlnzBkqjKPsqVxnz0dwYwlmkJ52wb17j-5QCXScETregjy69J_j4yXUkX76o-6pZewH1GwuKVWPInTkyMh\
    VlrXFLXOiBq_iENpH2Qn_kGiG3HMDyuTHu3vPJkzf6NWF3tqEXtn6_tYB1FwQ3r45Lf2y1Op0FGgfLHY-1J-7-Qs\
    Yx27fh-fR5h0Tu00a9RFMX8rbRXk4UIDIryyG240aYXEPDELVwJ9mNRtLZ5wmrqd2iceNNlxHtlpFilF9jpj5Kfk\
    AtfM7_VhcVYQ2bjWc8icI8QpkU4KUvk2nIP-RDL32JQ";

/// An Ed25519 key and its token, made by openssl.
const ED_POINT: &str = "6DjML1jNLDI1loeHe2uJ4rULSIzAczJAlD6D6qkDqbw";
/// Token under the key id `ed`.
const ED_TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJpc3MiOiJpIn0.WuqdOYfdLTABPNjzVADYVbXMC6TnaDxiR4R0\
    Y5zpladdEWU6OsQtQrSTgKPxiczk6jIvLEkCELneK-hgguwNDg";

fn rsa() -> Value {
    json!({ "kty": "RSA", "kid": "rsa", "n": RSA_MODULUS, "e": "AQAB" })
}

fn ed() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": ED_POINT })
}

fn keys(all: &[Value]) -> anyhow::Result<Vec<IssuerKey>> {
    usable_keys(json!({ "keys": all }).to_string().as_bytes())
}

#[test]
fn tokens_of_other_programs_are_verified() {
    let keys = keys(&[rsa(), ed()]).expect("two keys");
    for (at, token, algorithm) in [
        (0, RS256_TOKEN, Algorithm::RS256),
        (0, PS256_TOKEN, Algorithm::PS256),
        (1, ED_TOKEN, Algorithm::EdDSA),
    ] {
        let claims = verify_signature(token, &keys[at], algorithm).expect("is genuine");
        assert_eq!(claims["iss"], "i");
        let other = &keys[1 - at];
        assert!(verify_signature(token, other, algorithm).is_err());
        for wrong in [Algorithm::RS384, Algorithm::HS256, Algorithm::ES256] {
            assert!(verify_signature(token, &keys[at], wrong).is_err());
        }
        let bent = token.replacen(".ey", ".eY", 1);
        assert!(verify_signature(&bent, &keys[at], algorithm).is_err());
    }
}

#[test]
fn a_key_for_one_algorithm_is_for_no_other() {
    let mut only = rsa();
    only["alg"] = json!("PS256");
    let keys = keys(&[only]).expect("a key");
    assert!(verify_signature(PS256_TOKEN, &keys[0], Algorithm::PS256).is_ok());
    assert!(verify_signature(RS256_TOKEN, &keys[0], Algorithm::RS256).is_err());
}

#[test]
fn keys_that_verify_nothing_are_left_out() {
    let secret = json!({ "kty": "oct", "kid": "s", "k": "c2VjcmV0LW9mLXNpeHRlZW4" });
    let encrypts = json!({ "kty": "RSA", "kid": "e", "use": "enc", "n": RSA_MODULUS, "e": "AQAB" });
    let unknown = json!({ "kty": "NEW", "kid": "n" });
    let odd = [secret, encrypts, unknown, json!(7), json!(null)];
    assert!(keys(&odd).is_err(), "nothing is usable");
    let mut all = odd.to_vec();
    all.push(ed());
    assert_eq!(keys(&all).expect("one").len(), 1);
    let many: Vec<Value> = (0..=MAX_KEYS).map(|_| ed()).collect();
    assert!(keys(&many).is_err());
    for text in ["", "[]", "{}", "{\"keys\":{}}"] {
        assert!(usable_keys(text.as_bytes()).is_err(), "{text}");
    }
}
