//! Parameters of queries, by name.

use crate::http::error::ApiError;
use crate::http::state::CoreApi;
use axum::extract::Query;
use sluice_contract::money::{AmountError, Currency};
use sluice_contract::wire::ApiCode;
use std::collections::BTreeMap;

/// Extractor of a query's names and values, as they are given.
pub type QueryParameters = Query<Vec<(String, String)>>;

/// Sorts parameters by name; an unknown or doubled one is named.
pub fn named_parameters(
    given: Vec<(String, String)>,
    known: &[&str],
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut all = BTreeMap::new();
    for (name, value) in given {
        if !known.contains(&name.as_str()) {
            return Err(bad_field(
                &name,
                &format!("is no parameter here; known are {}", known.join(", ")),
            ));
        }
        if all.insert(name.clone(), value).is_some() {
            return Err(bad_field(&name, "is given twice"));
        }
    }
    Ok(all)
}

/// Refuses a parameter, by its name as far as that can be shown.
pub fn bad_field(field: &str, why: &str) -> ApiError {
    let name: String = field
        .chars()
        .filter(char::is_ascii_graphic)
        .take(40)
        .collect();
    ApiError::new(ApiCode::BadField, &format!("{name}: {why}"))
}

/// Reads the currency; the default one if none is named.
pub fn currency(api: &CoreApi, given: &BTreeMap<String, String>) -> Result<Currency, ApiError> {
    let Some(code) = given.get("currency") else {
        return Ok(api.default_currency);
    };
    code.parse().map_err(|e: AmountError| {
        ApiError::new(ApiCode::UnknownCurrency, &format!("currency: {e}"))
    })
}
