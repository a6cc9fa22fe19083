//! Bodies of requests, and data of answers.

use serde_json::{Value, json};
use sluice_contract::money::Currency;

/// Schemas by name.
pub(super) fn schemas() -> Value {
    let mut all = json!({
        "Withdraw": withdraw(&["toAccountId", "amount"]),
        "WithdrawSubmit": withdraw(&["toAccountId", "amount", "transactionId"]),
        "Settlement": closed(&["amount"], settlement()),
        "Refund": closed(&["amount", "paymentNo"], refund()),
        "Deposit": closed(&["amount", "bizNo"], json!({
            "accountId": optional_id(32), "amount": amount(), "currency": currency(), "bizNo": id(64),
        })),
        "Refusal": {
            "type": "object",
            "required": ["code", "msg", "data"],
            "properties": {
                "code": { "type": "integer", "minimum": 40_000, "maximum": 59_999,
                          "description": "The status, then two digits; stable." },
                "msg": { "type": "string", "description": "Names the field, then says why." },
                "data": { "type": "null" },
            },
        },
    });
    for (name, schema) in data() {
        all[name] = schema;
    }
    all
}

fn withdraw(required: &[&str]) -> Value {
    let transaction = if required.contains(&"transactionId") {
        id(64)
    } else {
        optional_id(64)
    };
    closed(
        required,
        json!({
            "fromAccountId": optional_id(32), "toAccountId": id(64), "amount": amount(),
            "currency": currency(), "userId": optional_id(32), "transactionId": transaction,
            "bizNo": optional_id(64), "predecessorId": optional_id(32), "channel": optional_id(16),
            "bankCode": optional_id(16),
        }),
    )
}

fn settlement() -> Value {
    json!({
        "accountId": optional_id(32), "paymentNo": optional_id(64), "amount": amount(),
        "currency": currency(), "transactionId": optional_id(64), "bizNo": optional_id(64),
        "predecessorId": optional_id(32),
    })
}

fn refund() -> Value {
    json!({
        "accountId": optional_id(32), "paymentNo": id(64), "toAccountId": optional_id(64),
        "bankCode": optional_id(16), "amount": amount(), "currency": currency(),
        "userId": optional_id(32), "transactionId": optional_id(64), "bizNo": optional_id(64),
        "predecessorId": optional_id(32), "channel": optional_id(16),
    })
}

/// An object that has no other fields: an unknown one is refused.
fn closed(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties,
            "additionalProperties": false })
}

fn id(max: u32) -> Value {
    json!({ "type": "string", "pattern": format!("^[A-Za-z0-9_.:-]{{1,{max}}}$") })
}

fn optional_id(max: u32) -> Value {
    json!({ "type": ["string", "null"], "pattern": format!("^[A-Za-z0-9_.:-]{{1,{max}}}$") })
}

fn amount() -> Value {
    json!({ "type": ["string", "number"], "examples": ["12.34"],
            "pattern": "^0*[0-9]{1,16}([.][0-9]{1,3})?$", "exclusiveMinimum": 0, "maximum": 9_999_999_999_999_999_u64,
            "description": "Major units, above zero, with no more decimals than the currency has." })
}

fn currency() -> Value {
    let codes: Vec<Value> = Currency::codes()
        .map(Value::from)
        .chain([Value::Null])
        .collect();
    json!({ "enum": codes, "examples": ["CNY"],
            "description": "ISO 4217, one that is listed; the core's own if missing." })
}

/// Schemas of what answers carry in `data`.
fn data() -> [(&'static str, Value); 7] {
    let ids = json!({ "withdrawOrderId": { "type": "string" }, "settlementOrderId": { "type": "string" },
        "refundOrderId": { "type": "string" }, "bookingId": { "type": "string" } });
    let booked = json!({ "type": "object", "properties": ids, "minProperties": 1 });
    [
        ("Booked", booked.clone()),
        ("Acted", booked),
        ("Order", order()),
        (
            "Orders",
            object(json!({
                "orders": { "type": "array", "items": { "$ref": "#/components/schemas/Order" } },
                "next": { "type": ["string", "null"] },
            })),
        ),
        (
            "History",
            object(json!({
                "version": { "type": "integer" },
                "history": { "type": "array", "items": object(json!({
                    "atUs": { "type": "integer" }, "what": { "type": "string" }, "text": { "type": "string" },
                })) },
            })),
        ),
        ("Account", account()),
        ("Entries", entries()),
    ]
}

/// An object of which every field is there.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties
        .as_object()
        .map(|fields| fields.keys().cloned().collect())
        .unwrap_or_default();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn order() -> Value {
    let (text, maybe) = (
        json!({ "type": "string" }),
        json!({ "type": ["string", "null"] }),
    );
    let (number, maybe_number) = (
        json!({ "type": "integer" }),
        json!({ "type": ["integer", "null"] }),
    );
    object(json!({
        "status": { "enum": ["init", "processing", "manual", "success", "failed", "returned"] },
        "waitsFor": maybe, "toAccountId": text, "kind": { "enum": ["cash_out", "settlement", "refund"] },
        "paymentNo": maybe, "amount": text, "currency": text, "transactionId": text, "bizNo": maybe,
        "predecessorId": maybe,
        "channel": maybe, "route": { "type": ["object", "null"] }, "serialNo": text, "tradeTime": maybe,
        "resultCode": maybe, "acknowledgedUs": maybe_number, "createdUs": number, "updatedUs": number,
        "version": number, "correlationId": maybe,
    }))
}

fn account() -> Value {
    let text = json!({ "type": "string" });
    object(json!({
        "accountId": text,
        "balances": { "type": "array", "items": object(json!({
            "currency": text, "balance": text, "available": text, "reserved": text,
            "intermediate": text, "intermediateReserved": text, "version": { "type": "integer" },
        })) },
    }))
}

fn entries() -> Value {
    let text = json!({ "type": "string" });
    object(json!({
        "accountId": text, "currency": text, "next": text, "more": { "type": "boolean" },
        "entries": { "type": "array", "items": object(json!({
            "postingId": text, "line": { "type": "integer" }, "kind": text, "book": text,
            "side": { "enum": ["C", "D"] }, "amount": text, "reference": text,
            "createdUs": { "type": "integer" },
        })) },
    }))
}
